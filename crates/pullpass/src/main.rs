//! The program. Everything it does is in the library beside it, where tests reach it.

/// An audit makes and drops a great many small texts on several threads at once. jemalloc gives out first
/// what was given back last, which is still near.
#[cfg(all(unix, target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The same elsewhere.
#[cfg(not(all(unix, target_arch = "x86_64")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    pullpass::cli::main()
}
