//! Turns the tables of `data/`, which people keep as TOML, into JSON. The program reads them each time
//! it starts, and JSON is read many times faster.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const TABLES: [&str; 3] = ["actions", "orbs", "tools"];

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    for table in TABLES {
        let path = format!("data/{table}.toml");
        println!("cargo::rerun-if-changed={path}");
        let rows: toml::Table = toml::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| format!("{path}: {error}"))?;
        fs::write(
            Path::new(&out).join(table).with_extension("json"),
            serde_json::to_vec(&rows)?,
        )?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
