//! How much of a fleet one run may change.
//!
//! A run that changes most of a fleet is more often a mistake than a wish, and is refused. What goes its
//! usual course is no mistake: a fleet that was given its passes on one day is due on one day. Of that, a run
//! does as much as it may, and leaves the rest to the next one.

use std::collections::BTreeSet;

use pullpass_engine::run::Ahead;
use pullpass_fleet::file::Fleet;

use crate::error::{Error, ErrorKind, Result};

/// As many projects may be changed in one run without being told so.
pub(super) fn most(fleet: &Fleet) -> usize {
    let share = fleet.projects.len() * fleet.limits.max_change as usize / 100;
    share.max(fleet.limits.free as usize)
}

/// Which of these are left to a later run. Nothing is, where a person asks for the renewals: they are to
/// know that it is most of the fleet.
pub(super) fn held(fleet: &Fleet, asked_for: bool, ahead: &[Ahead<'_>]) -> Result<BTreeSet<usize>> {
    let most = most(fleet);
    let changing = ahead.iter().filter(|ahead| ahead.changes()).count();
    if changing <= most {
        return Ok(BTreeSet::new());
    }
    let mut in_course: Vec<_> = ahead
        .iter()
        .enumerate()
        .filter(|_| !asked_for)
        .filter_map(|(number, ahead)| Some((ahead.in_course()?, number)))
        .collect();
    let others = changing - in_course.len();
    if others > most {
        return Err(Error::new(
            ErrorKind::Usage,
            "go ahead",
            format!(
                "{others} of {} projects would be changed, and one run may change {most}",
                fleet.projects.len()
            ),
            "look at `pullpass plan`, then name the projects, raise `max_change` in `[limits]`, or add --allow-large",
        ));
    }
    in_course.sort_unstable();
    let later = in_course.into_iter().skip(most - others);
    Ok(later.map(|(_, number)| number).collect())
}

/// The others.
pub(super) fn without<'a>(ahead: Vec<Ahead<'a>>, held: &BTreeSet<usize>) -> Vec<Ahead<'a>> {
    let numbered = ahead.into_iter().enumerate();
    let now = numbered.filter(|(number, _)| !held.contains(number));
    now.map(|(_, ahead)| ahead).collect()
}
