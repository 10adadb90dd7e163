//! The program. Everything it does is in the library beside it, where tests reach it.

fn main() -> std::process::ExitCode {
    pullpass::cli::main()
}
