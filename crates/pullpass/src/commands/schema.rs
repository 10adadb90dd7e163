//! `pullpass schema`

use clap::{Args, ValueEnum};

use super::Format;
use crate::config;
use crate::error::Result;
use crate::exit::ExitCode;
use crate::render::json;

/// Print the JSON Schema of a format.
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Of what.
    #[arg(value_enum)]
    of: Of,

    /// How to write it; a schema is JSON in any case.
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// What `pullpass audit --format json` prints.
    Audit,
    /// `pullpass.toml`.
    Config,
}

impl Schema {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.format {
            Format::Human | Format::Json => super::print(text(self.of).as_bytes()),
        }
    }
}

fn text(of: Of) -> String {
    // What is written is described, not what could be read: every field is there.
    let generator = schemars::generate::SchemaSettings::draft2020_12();
    let schema = match of {
        Of::Audit => generator
            .for_serialize()
            .into_generator()
            .into_root_schema_for::<json::Document<'_>>(),
        Of::Config => generator
            .into_generator()
            .into_root_schema_for::<config::schema::File>(),
    };
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
