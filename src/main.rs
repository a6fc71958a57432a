//! The `tras` program: parse, run, exit code.

fn main() -> std::process::ExitCode {
    tras::cli::main()
}
