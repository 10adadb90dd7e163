//! A small HTTP client for loopback: what the simulated runners pull with. Tests may use it too.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// No answer came.
#[derive(Debug)]
pub struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer came: {}", self.0)
    }
}

impl std::error::Error for NoAnswer {}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<hyper::Error> for NoAnswer {
    fn from(error: hyper::Error) -> Self {
        Self(error.to_string())
    }
}

/// Sends one request to `base` (`http://127.0.0.1:port`), from `from` where the system has that
/// address.
///
/// # Errors
///
/// When the connection is refused or closed before an answer came.
pub async fn send(
    base: &str,
    from: Ipv4Addr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Answer, NoAnswer> {
    let host = base.strip_prefix("http://").unwrap_or(base);
    let to: SocketAddr = host
        .parse()
        .map_err(|_| NoAnswer(format!("`{host}` is no address")))?;
    let stream = connect(to, from).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection, whose other half `sender` is.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Full::new(body.into()))
        .map_err(|error| NoAnswer(error.to_string()))?;
    let response = sender.send_request(request).await?;
    let (parts, body) = response.into_parts();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    })
}

/// All of 127/8 is this machine's on Linux; other systems have 127.0.0.1 only.
async fn connect(to: SocketAddr, from: Ipv4Addr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let stream = match socket.bind(SocketAddr::new(from.into(), 0)) {
        Ok(()) => socket.connect(to).await?,
        Err(_) => TcpStream::connect(to).await?,
    };
    // A port whose connection was closed is kept for a minute otherwise, and there are some thirty thousand: as many
    // builds as that in a minute would leave none to listen on. Nobody misses what is cut off: the answer is read.
    stream.set_zero_linger()?;
    Ok(stream)
}
