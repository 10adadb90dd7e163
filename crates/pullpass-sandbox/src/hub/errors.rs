//! Docker Hub's errors come in several shapes; which one depends on the route.

use serde_json::json;

use crate::http::Response;
use crate::world::Refusal;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// `{detail, message}`; `{fields, text}` when the request is wrong. Tokens and settings.
    Plain,
    /// `{errinfo, detail, message}`. Members, teams, invitations, sign-in.
    Info,
    /// `{detail}`. The older sign-in.
    Detail,
    /// `{code, message, details}`. The activity log.
    Rpc,
}

/// A refusal in the shape of its route.
pub(crate) fn refuse(shape: Shape, refusal: &Refusal) -> Response {
    let (status, title, text) = match refusal {
        Refusal::Unauthorised(text) => (401, "unauthorized", text),
        Refusal::Forbidden(text) => (403, "forbidden", text),
        Refusal::NotFound(text) => (404, "not found", text),
        Refusal::Invalid { text, .. } => (400, "bad request", text),
    };
    let body = match (shape, refusal) {
        (Shape::Plain, Refusal::Invalid { field, text }) => {
            json!({"fields": {*field: [text]}, "text": text})
        }
        (Shape::Plain, _) => json!({"detail": text, "message": title}),
        (Shape::Info, _) => {
            json!({"errinfo": {"code": title.replace(' ', "_")}, "detail": text, "message": text})
        }
        (Shape::Detail, _) => json!({"detail": text}),
        (Shape::Rpc, _) => json!({"code": rpc_code(status), "message": text, "details": []}),
    };
    Response::json(status, &body)
}

pub(crate) fn bad_request(shape: Shape, text: &str) -> Response {
    let refusal = Refusal::Invalid {
        field: "body",
        text: text.to_owned(),
    };
    refuse(shape, &refusal)
}

/// The numbers of gRPC (`google.rpc.Code`).
fn rpc_code(status: u16) -> u8 {
    match status {
        400 => 3,
        404 => 5,
        403 => 7,
        401 => 16,
        _ => 2,
    }
}
