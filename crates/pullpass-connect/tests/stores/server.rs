//! A server on loopback, for what stands in for a service.

use std::convert::Infallible;
use std::net::TcpListener;
use std::rc::Rc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

pub(crate) type Answer = Response<Full<Bytes>>;

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into());
    let mut answer = Response::new(body);
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

/// Serves on a thread of its own until the process ends, and says where.
pub(crate) fn serve<F>(answers: impl Fn(Parts, Bytes) -> F + Send + 'static) -> String
where
    F: Future<Output = Answer> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let answers = Rc::new(answers);
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let answers = Rc::clone(&answers);
                let service = service_fn(move |request: Request<Incoming>| {
                    let answers = Rc::clone(&answers);
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.map(|body| body.to_bytes());
                        Ok::<_, Infallible>(answers(parts, body.unwrap_or_default()).await)
                    }
                });
                tokio::task::spawn_local(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
    });
    url
}
