//! The systems that the sandbox stands in for.

use crate::http::{Place, Request, Response};
use crate::world::World;
use crate::{circleci, github, hub, people, registry};

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Vendor {
    Hub,
    Registry,
    CircleCi,
    GitHub,
    /// Where a person signs up and reads mail.
    People,
}

impl Vendor {
    pub(crate) const ALL: [Self; 5] = [
        Self::Hub,
        Self::Registry,
        Self::CircleCi,
        Self::GitHub,
        Self::People,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Registry => "registry",
            Self::CircleCi => "circleci",
            Self::GitHub => "github",
            Self::People => "people",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vendor| vendor.name() == name)
    }

    /// Its room's answer.
    pub(crate) fn answer(self, world: &mut World, request: &Request, place: &Place) -> Response {
        match self {
            Self::Hub => hub::answer(world, request, place),
            Self::Registry => registry::answer(world, request, place),
            Self::CircleCi => circleci::answer(world, request, place),
            Self::GitHub => github::answer(world, request, place),
            Self::People => people::answer(world, request, place),
        }
    }

    /// Who asks, as far as what they sent proves it.
    pub(crate) fn identify(
        self,
        world: &World,
        request: &Request,
        place: &Place,
    ) -> Option<String> {
        match self {
            Self::Hub => hub::identify(world, request, place),
            Self::Registry => registry::identify(world, request, place),
            Self::CircleCi => circleci::identify(world, request, place),
            Self::GitHub => github::identify(world, request, place),
            Self::People => None,
        }
    }

    /// An answer that says nothing but its status, in the vendor's shape.
    pub(crate) fn failure(self, status: u16) -> Response {
        let text = match status {
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        match self {
            // A proxy in front of the service answers, not the service: this is no JSON.
            _ if status == 503 => Response::bytes(
                503,
                "text/html",
                format!("<html><body><h1>503 {text}</h1></body></html>\n").into_bytes(),
            ),
            Self::Hub => Response::json(
                status,
                &serde_json::json!({"errinfo": {}, "detail": text, "message": text}),
            ),
            Self::Registry => registry::error(status, "UNKNOWN", text),
            Self::CircleCi => circleci::message(status, text),
            Self::GitHub => github::message(status, text),
            Self::People => Response::bytes(status, "text/plain", text.as_bytes().to_vec()),
        }
    }
}
