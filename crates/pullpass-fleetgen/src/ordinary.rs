//! Files that cannot matter to an audit, so that a benchmark pays for walking past them as a real
//! run does. There are few of them and they are small: an auditor that opened them would show it all the same.

use crate::File;
use crate::dice::Dice;
use crate::project::Project;
use crate::template::fill;

const SOURCE: &str = "
// «sentence»
export function «word»«number»(«word»: string) {
  const «WORD» = '«service»';
  return «word» + «WORD» + «many»;
}
";

/// Writes twenty to forty of them.
pub(crate) fn write(project: &Project, dice: &mut Dice, files: &mut Vec<File>) {
    files.push(File::new(".git/HEAD", "ref: refs/heads/main\n"));
    files.push(File::new(".git/config", "[core]\n\tbare = false\n"));
    let readme = fill(
        "# «name»\n\n«sentence»\n\n    docker pull «image»\n",
        project,
        dice,
        &[],
    );
    files.push(File::new("README.md", readme));
    let folders = [
        "src",
        "src/domain",
        "src/domain/models",
        "lib",
        "tests",
        "tests/unit",
        "docs",
        "infra/modules",
    ];
    for number in 0..dice.between(20, 40) {
        let folder = dice.pick(&folders);
        let extension = match folder {
            "docs" => "md",
            "infra/modules" => "tf",
            _ => project.language.extension,
        };
        let number = number.to_string();
        let text: String = (0..dice.between(1, 8))
            .map(|_| fill(SOURCE, project, dice, &[("number", &number)]))
            .collect();
        let path = format!(
            "{folder}/{}_{number}.{extension}",
            fill("«word»", project, dice, &[])
        );
        files.push(File::new(path, text));
    }
}
