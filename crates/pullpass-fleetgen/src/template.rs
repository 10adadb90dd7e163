//! Templates with holes, written `«name»`.
//!
//! YAML, shell and Actions expressions use every ASCII bracket there is, so a hole is marked with a
//! character that none of them needs. A hole that stands alone on its line stands for whole lines: they get
//! its indentation, and when there are none the line goes.

use crate::dice::Dice;
use crate::project::Project;

/// Fills `template` with `given`, and what is not given with what the project draws.
pub(crate) fn fill(
    template: &str,
    project: &Project,
    dice: &mut Dice,
    given: &[(&str, &str)],
) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    for line in template.trim_start_matches('\n').split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches(' ').len();
        let alone = line
            .trim()
            .strip_prefix('«')
            .and_then(|rest| rest.strip_suffix('»'))
            .filter(|name| !name.contains('«'));
        match alone {
            Some(name) => {
                for more in value(name, project, dice, given).lines() {
                    if !more.is_empty() {
                        out.extend(std::iter::repeat_n(' ', indentation));
                        out.push_str(more);
                    }
                    out.push('\n');
                }
                if !line.ends_with('\n') && out.ends_with('\n') {
                    out.pop();
                }
            }
            None => fill_line(line, project, dice, given, &mut out),
        }
    }
    out
}

fn fill_line(
    line: &str,
    project: &Project,
    dice: &mut Dice,
    given: &[(&str, &str)],
    out: &mut String,
) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('«') {
        let (name, after) = after.split_once('»').unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&value(name, project, dice, given));
        rest = after;
    }
    out.push_str(rest);
}

fn value(name: &str, project: &Project, dice: &mut Dice, given: &[(&str, &str)]) -> String {
    match given.iter().find(|(key, _)| *key == name) {
        Some((_, value)) => (*value).to_owned(),
        None => project.draws(name, dice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_alone_on_its_line_is_lines_or_nothing() {
        let mut dice = Dice::new(1, 1);
        let project = Project::draw(&mut dice, 1);
        let mut filled = |given: &str| {
            let template = "a:\n  «x»\nb: «x»!\n";
            fill(template, &project, &mut dice, &[("x", given)])
        };
        assert_eq!(filled("1\n\n2"), "a:\n  1\n\n  2\nb: 1\n\n2!\n");
        assert_eq!(filled(""), "a:\nb: !\n");
    }
}
