//! What the person sees on: whether colour is wanted, and how much is to be said.

use std::io::{self, Write};

use clap::ValueEnum;

/// When to colour the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set; anywhere, when `CLICOLOR_FORCE` is.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `CLICOLOR_FORCE=0` forces nothing.
pub(crate) fn is_forced_off() -> bool {
    std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| value == "0")
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Volume {
    /// Findings and errors only.
    Quiet,
    /// Findings and what they come to.
    Normal,
    /// Every pull, also those in order.
    Verbose,
}

/// The person's wishes about output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    pub(crate) color: Color,
    pub(crate) volume: Volume,
}

impl Terminal {
    /// Whether what goes to standard output is coloured.
    pub(crate) fn colors_stdout(self) -> bool {
        self.colors(&io::stdout())
    }

    fn colors<S: anstream::stream::RawStream>(self, stream: &S) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if is_forced_off() && !stream.is_terminal() => false,
            Color::Auto => anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
        }
    }

    /// Says something beside the data. Nothing is left to do when even that fails.
    pub(crate) fn say(self, label: &str, style: anstyle::Style, message: &str) {
        let mut err = io::stderr().lock();
        let _ = if self.colors(&io::stderr()) {
            writeln!(err, "{style}{label}:{style:#} {message}")
        } else {
            writeln!(err, "{label}: {message}")
        };
    }

    /// Says what ended the command.
    pub(crate) fn error(self, message: &str) {
        self.say(
            "error",
            anstyle::AnsiColor::Red.on_default().bold(),
            message,
        );
    }

    /// Says what the person may want to know, unless they asked for quiet.
    pub(crate) fn note(self, message: &str) {
        if self.volume > Volume::Quiet {
            self.say(
                "note",
                anstyle::AnsiColor::Cyan.on_default().bold(),
                message,
            );
        }
    }
}

/// Says that pullpass itself failed, in place of a backtrace.
pub(crate) fn report_bug(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    let mut err = io::stderr().lock();
    let _ = writeln!(
        err,
        "error: pullpass failed{place}: this is a bug of pullpass, not of your files\n  help: please report it, \
         with the file that it was reading, at {}/issues",
        env!("CARGO_PKG_REPOSITORY")
    );
}
