//! Listening, and what happens to a request between its connection and its vendor's room.
//!
//! ```text
//! connection ─► down? ─► latency ─► fault ─► limits ─► room ─► journal ─► answer, or none
//! ```
//!
//! A request is served by hyper itself, not by a framework above it, because a lost response is a
//! connection that closes without one: the service returns an error, and hyper hangs up.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::control;
use crate::faults::Fault;
use crate::http::{Request, Response, time};
use crate::limits::too_many;
use crate::shared::{Shared, lock};
use crate::vendor::Vendor;
use crate::world::later;

/// No client of these systems sends more.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// How many connections a vendor that crashed turns away before it is up again. A number and no
/// time, so that a test need not be quick.
const TURNED_AWAY: u32 = 3;

/// When a client that was refused by a fault may come back, in seconds.
const COME_BACK: i64 = 1;

/// The connection is closed without an answer.
#[derive(Debug)]
struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed without an answer")
    }
}

impl std::error::Error for HangUp {}

/// Ports below those that systems choose from by themselves.
const OTHER_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A listener on loopback, on a port that the system chooses. For a minute after many connections were closed it may
/// have none to choose: then on another one that is free.
pub(crate) async fn bind() -> io::Result<(TcpListener, String)> {
    let at = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let mut bound = at(0).await;
    // Those who look at the same time begin at different ones.
    let first = usize::try_from(std::process::id()).unwrap_or_default() * 97;
    let others = OTHER_PORTS.cycle().skip(first % OTHER_PORTS.len());
    for port in others.take(OTHER_PORTS.len()) {
        match &bound {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => bound = at(port).await,
            _ => break,
        }
    }
    let listener = bound?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// Serves one vendor until the task is aborted.
pub(crate) fn serve(shared: Arc<Shared>, vendor: Vendor, listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Connections end with this task.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        connections.spawn(connection(Arc::clone(&shared), vendor, stream, from));
                    }
                    // Too many open files, most likely: some will be closed soon.
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

async fn connection(shared: Arc<Shared>, vendor: Vendor, stream: TcpStream, from: SocketAddr) {
    if shared.turns_away(vendor) {
        return;
    }
    // Small answers are sent at once.
    let _ = stream.set_nodelay(true);
    let mut crashes = shared.crashes.subscribe();
    let service = {
        let shared = Arc::clone(&shared);
        service_fn(move |request| answer(Arc::clone(&shared), vendor, from.ip(), request))
    };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // Only those from now on: what crashed before is up again.
    let crash = async {
        while crashes.changed().await.is_ok() {
            if crashes.borrow_and_update().0 == Some(vendor) {
                break;
            }
        }
    };
    tokio::select! {
        _ = serving => {}
        () = crash => {}
    }
}

async fn answer(
    shared: Arc<Shared>,
    vendor: Vendor,
    from: IpAddr,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, HangUp> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MOST_BYTES)
        .collect()
        .await
        .map_err(|_| HangUp)?
        .to_bytes();
    let request = Request::new(
        parts.method.as_str(),
        parts.uri.path(),
        parts.uri.query().unwrap_or_default(),
        parts.headers,
        body,
        from,
    );
    let response = match request.segments.first().map(String::as_str) {
        Some("_sandbox") => control::answer(&shared, &request).await,
        Some("signup" | "confirm" | "invitation" | "inbox") => {
            through(&shared, Vendor::People, &request).await?
        }
        _ => through(&shared, vendor, &request).await?,
    };
    written(response, shared.now())
}

fn written(response: Response, now: Timestamp) -> Result<hyper::Response<Full<Bytes>>, HangUp> {
    let mut written = hyper::Response::builder()
        .status(response.status)
        // The world's time; hyper would give the machine's.
        .header("date", time::http(now));
    for (name, value) in &response.headers {
        written = written.header(*name, value);
    }
    written
        .body(Full::new(Bytes::from(response.body)))
        .map_err(|_| HangUp)
}

/// A request on its way through misfortune and limits to its room, and back.
async fn through(
    shared: &Arc<Shared>,
    vendor: Vendor,
    request: &Request,
) -> Result<Response, HangUp> {
    let fault = lock(&shared.faults).strike(vendor, &request.method, &request.path);
    let latency = match fault {
        Some(Fault::Latency) => (shared.latency * 10).max(Duration::from_millis(100)),
        _ => shared.latency,
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let place = shared.place();
    let who = shared.read(|world, _| vendor.identify(world, request, &place));
    let note = |status: Option<u16>| {
        lock(&shared.journal).add(vendor, request, who.clone(), status, fault, place.now);
    };
    match fault {
        Some(Fault::LostRequest) => {
            note(None);
            return Err(HangUp);
        }
        Some(Fault::TooManyRequests) => {
            let until = later(place.now, COME_BACK).as_second();
            let refusal = too_many(vendor, until, place.now, Vec::new());
            note(Some(refusal.status));
            return Ok(refusal);
        }
        Some(Fault::InternalError | Fault::Unavailable) => {
            let status = if fault == Some(Fault::Unavailable) {
                503
            } else {
                500
            };
            note(Some(status));
            return Ok(vendor.failure(status));
        }
        _ => {}
    }
    let mut headers = Vec::new();
    if shared.limited {
        let address = request.from.to_string();
        let key = who.as_deref().unwrap_or(&address);
        let admitted = lock(&shared.limits).admit(vendor, key, &request.method, place.now);
        match admitted {
            Ok(more) => headers = more,
            Err(refusal) => {
                note(Some(refusal.status));
                return Ok(refusal);
            }
        }
    }
    let mut response = if fault == Some(Fault::StaleRead) {
        shared.read_the_past(|world| vendor.answer(world, request, &place))
    } else if !request.is_read() && lock(&shared.faults).need_the_past() {
        shared.change_and_keep(|world| vendor.answer(world, request, &place))
    } else {
        shared.change(|world, _| vendor.answer(world, request, &place))
    };
    shared.run_builds();
    response.headers.extend(headers);
    match fault {
        Some(Fault::LostResponse) => {
            note(None);
            Err(HangUp)
        }
        Some(Fault::Crash) => {
            note(None);
            shared.crash(vendor, TURNED_AWAY);
            Err(HangUp)
        }
        Some(Fault::Hang) => {
            note(None);
            std::future::pending::<()>().await;
            Err(HangUp)
        }
        _ => {
            note(Some(response.status));
            Ok(response)
        }
    }
}
