//! `ros-industrial/industrial_ci` pulls the image that `DOCKER_IMAGE` names, or the system that the ROS of
//! `ROS_DISTRO` is built for. Both are variables of the environment, or keys of the JSON in an input.
//!
//! <https://github.com/ros-industrial/industrial_ci/blob/master/industrial_ci/src/isolation/docker.sh>

use crate::run::JobRun;
use crate::text::{HoleKind, Text};

use super::evaluate::Value;

/// Which Ubuntu each ROS is built for, where no variable says another (`industrial_ci/src/ros.sh`).
const SYSTEMS: [(&str, &str); 19] = [
    ("indigo", "trusty"),
    ("jade", "trusty"),
    ("kinetic", "xenial"),
    ("lunar", "xenial"),
    ("melodic", "bionic"),
    ("noetic", "focal"),
    ("ardent", "xenial"),
    ("bouncy", "bionic"),
    ("crystal", "bionic"),
    ("dashing", "bionic"),
    ("eloquent", "bionic"),
    ("foxy", "focal"),
    ("galactic", "focal"),
    ("humble", "jammy"),
    ("iron", "jammy"),
    ("jazzy", "noble"),
    ("kilted", "noble"),
    ("rolling", "noble"),
    ("lyrical", "resolute"),
];

/// Releases of Debian that it knows by their names.
const DEBIANS: [&str; 6] = [
    "jessie", "stretch", "buster", "bullseye", "bookworm", "trixie",
];

/// The image that it pulls; `None` where it uses none. `config` is the JSON of the input, which goes before the
/// environment; where that is not known, nothing is.
pub(super) fn image(run: &JobRun<'_>, config: Option<&Value>) -> Option<Text> {
    let unknown = || run.cx.holes.of("?", HoleKind::Expression);
    let get = |name: &str| -> Option<Text> {
        let given = config
            .and_then(|config| config.get(name))
            .map(Value::as_text);
        given
            .or_else(|| run.env.get(name).cloned())
            .filter(|text| !text.is_empty())
    };
    if let Some(Value::Text(_)) = config {
        return Some(unknown());
    }
    let isolation = get("ISOLATION");
    if isolation.is_some_and(|kind| kind.known() == Some("shell")) {
        return None;
    }
    if let Some(image) = get("DOCKER_IMAGE") {
        return Some(image);
    }
    let release = get("OS_CODE_NAME").or_else(|| {
        let distribution = get("ROS_DISTRO")?;
        let Some(known) = distribution.known() else {
            return Some(unknown());
        };
        let system = SYSTEMS.iter().find(|(name, _)| *name == known);
        Some(system.map_or_else(unknown, |(_, release)| Text::from(*release)))
    })?;
    let is_debian = release.known().is_some_and(|name| DEBIANS.contains(&name));
    let system = match is_debian {
        true => Text::from("debian"),
        false => get("OS_NAME").unwrap_or_else(|| Text::from("ubuntu")),
    };
    Some(Text::new(format!(
        "{}:{}",
        system.as_str(),
        release.as_str()
    )))
}
