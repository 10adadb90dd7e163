//! Schedules that a machine of one's own runs.

use super::{Every, Needs};

/// Where the environment is kept, below the home folder.
const ENVIRONMENT: &str = ".config/pullpass/environment";

fn needed(needs: &Needs) -> String {
    let mut lines: Vec<String> = needs
        .variables
        .iter()
        .map(|need| format!("#   {}=…  {}\n", need.name, need.what))
        .collect();
    if needs.on_aws {
        lines.push("#   AWS_PROFILE=…, or whatever else AWS's usual chain finds\n".to_owned());
    }
    lines.push(
        "# What `pullpass credentials` keeps may be left out, where an age identity opens that.\n"
            .to_owned(),
    );
    lines.concat()
}

/// A service and a timer.
pub(super) fn systemd(needs: &Needs, folder: &str, program: &str, every: Every) -> String {
    // A percent sign begins a specifier, a dollar sign a variable.
    let quoted = |text: &str| {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", text.replace('%', "%%").replace('$', "$$"))
    };
    let plain = folder.replace('%', "%%");
    format!(
        "\
# As `pullpass schedule systemd` prints it: two files below ~/.config/systemd/user/, then
#   systemctl --user daemon-reload && systemctl --user enable --now pullpass.timer
#   loginctl enable-linger            so that it runs while you are not signed in
# ~/{ENVIRONMENT}, which only you may read (chmod 600), holds:
{}
# ~/.config/systemd/user/pullpass.service
[Unit]
Description=Renew and check the fleet's passes for Docker Hub
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={plain}
EnvironmentFile=%h/{ENVIRONMENT}
ExecStart={program} apply --yes
# Also when that could not do all of it.
ExecStopPost={program} verify
UMask=0077
NoNewPrivileges=yes

# ~/.config/systemd/user/pullpass.timer
[Unit]
Description=Run pullpass.service

[Timer]
OnCalendar={}
RandomizedDelaySec=10m
Persistent=yes

[Install]
WantedBy=timers.target
",
        needed(needs),
        every.calendar(),
        program = quoted(program),
    )
}

/// Lines of a crontab.
pub(super) fn cron(needs: &Needs, folder: &str, program: &str, every: Every) -> String {
    // A shell reads the words, and before it cron turns a percent sign into the end of the line.
    let quoted = |text: &str| {
        let text = text.replace('\'', r"'\''").replace('%', r"\%");
        format!("'{text}'")
    };
    let (folder, program) = (quoted(folder), quoted(program));
    format!(
        "\
# As `pullpass schedule cron` prints it; crontab -e takes it. Output goes to MAILTO by mail.
# ~/{ENVIRONMENT}, which only you may read (chmod 600), holds:
{}{} cd {folder} && set -a && . \"$HOME/{ENVIRONMENT}\" && set +a && {{ {program} apply -q --yes; code=$?; {program} verify -q && exit $code; }}
",
        needed(needs),
        every.cron()
    )
}
