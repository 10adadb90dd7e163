//! Variables that a function has for itself: when it returns, its caller's are as they were.

use super::{Shell, maps};
use crate::run::JobRun;
use crate::text::Text;

/// A variable as it was before a function made it its own.
pub(super) struct Local {
    name: String,
    value: Option<Text>,
    array: Option<Vec<Text>>,
    map: Option<maps::Map>,
}

impl Shell {
    /// `local NAME`, `declare NAME`: the function that it stands in leaves the variable as it was. Outside of one nothing
    /// does.
    pub(super) fn keep_local(&mut self, run: &JobRun<'_>, name: &str) {
        let Some(locals) = &mut self.locals else {
            return;
        };
        if locals.iter().any(|known| known.name == name) {
            return;
        }
        locals.push(Local {
            name: name.to_owned(),
            value: run.env.get(name).cloned(),
            array: self.arrays.get(name).cloned(),
            map: self.maps.get(name).cloned(),
        });
    }

    /// Gives the caller's variables back, at the end of a function.
    pub(super) fn restore_locals(&mut self, run: &mut JobRun<'_>, locals: Vec<Local>) {
        for local in locals {
            let Local {
                name,
                value,
                array,
                map,
            } = local;
            self.arrays.remove(&name);
            self.restore_map(&name, map);
            match value {
                Some(value) => run.env.insert(name.clone(), value),
                None => run.env.remove(&name),
            }
            if let Some(array) = array {
                self.arrays.insert(name, array);
            }
        }
    }
}
