//! What the SDK's errors mean.

use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use pullpass_fleet::failure::{Failure, FailureKind};
use secrecy::{ExposeSecret, SecretString};

/// Characters of what the service says.
const LONGEST: usize = 240;

const SIGN_IN: &str =
    "see that a region and credentials are set: `aws sts get-caller-identity` uses the same ones";

/// The error code that the service gave.
pub(super) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(answer) => answer.err().code(),
        _ => None,
    }
}

/// Whether a failed request can change something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Read,
    Change,
}

/// The failure; `hidden` is what was sent along, and is shown under no circumstances.
pub(super) fn of<E: ProvideErrorMetadata + std::error::Error + 'static>(
    error: &SdkError<E, HttpResponse>,
    request: Request,
    doing: &str,
    hidden: Option<&SecretString>,
) -> Failure {
    let lost = match request {
        Request::Read => FailureKind::Unavailable,
        Request::Change => FailureKind::Unknown,
    };
    let (kind, happened, next) = match error {
        SdkError::ConstructionFailure(_) => (FailureKind::Configuration, deepest(error), SIGN_IN),
        SdkError::TimeoutError(_) => (lost, "no answer in time".to_owned(), ""),
        SdkError::DispatchFailure(failure) if failure.is_user() || is_about_us(error) => {
            (FailureKind::Configuration, deepest(error), SIGN_IN)
        }
        SdkError::DispatchFailure(_) if deepest(error).contains("IMDS") => (
            FailureKind::Configuration,
            "no credentials for AWS were found".to_owned(),
            "set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `profile` in `[store.aws]`",
        ),
        // Without a word on whether the request went out, but where nobody listened.
        SdkError::DispatchFailure(_) => {
            let kind = match was_refused(error) {
                true => FailureKind::Unavailable,
                false => lost,
            };
            (
                kind,
                deepest(error),
                "see that AWS can be reached from here",
            )
        }
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or("no code");
            let words = answer.err().message().unwrap_or_default();
            let (kind, next) = sort(code, status, lost);
            (kind, format!("AWS answered {status} {code}: {words}"), next)
        }
        _ => (lost, "the answer could not be read".to_owned(), ""),
    };
    let happened = match hidden.map(ExposeSecret::expose_secret) {
        Some(secret) if !secret.is_empty() => happened.replace(secret, "***"),
        _ => happened,
    };
    Failure::new(kind, doing, shortened(&happened), next)
}

/// The failure that secrets are which were deleted with a time in which they can be restored.
pub(super) fn in_recovery(doing: String, names: &[&str]) -> Failure {
    let (are, each) = match names {
        [_] => ("is", ""),
        _ => ("are", ", and so with the others"),
    };
    let first = names.first().copied().unwrap_or_default();
    Failure::new(
        FailureKind::ForAPerson,
        doing,
        format!(
            "`{}` {are} deleted in AWS, and in the time in which that can be undone",
            names.join("`, `")
        ),
        format!(
            "to go on with what was kept: `aws secretsmanager restore-secret --secret-id {first}`{each}; to begin anew: `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id {first}`{each}"
        ),
    )
}

fn sort(code: &str, status: u16, lost: FailureKind) -> (FailureKind, &'static str) {
    match code {
        "ResourceNotFoundException" => (FailureKind::NotFound, ""),
        "AccessDeniedException" | "AccessDenied" => (
            FailureKind::Refused,
            "the role needs that right on the project's secrets",
        ),
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => (
            FailureKind::Unavailable,
            "run again later, or with less at once",
        ),
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "IncompleteSignature" => (
            FailureKind::Refused,
            "sign in again: `aws sts get-caller-identity` uses the same credentials",
        ),
        "DecryptionFailure" | "EncryptionFailure" => (
            FailureKind::Refused,
            "the role needs to use the KMS key of the secret",
        ),
        _ if status >= 500 => (lost, "run again later"),
        _ => (FailureKind::Refused, ""),
    }
}

/// Whether a request was not sent for want of something on this side. The SDK has no type for that,
/// and says it in words.
fn is_about_us<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    let words = deepest(error).to_lowercase();
    ["credential", "identity", "region", "profile"]
        .iter()
        .any(|word| words.contains(word))
}

/// Whether there was nobody to connect to.
fn was_refused<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::ConnectionRefused;
        }
        source = error.source();
    }
    false
}

fn deepest<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let mut source: &dyn std::error::Error = error;
    while let Some(next) = source.source() {
        source = next;
    }
    source.to_string()
}

fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
