//! The program. Everything it does is in the library beside it, where tests reach it.

/// An audit makes and drops a great many small texts on several threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    pullpass::cli::main()
}
