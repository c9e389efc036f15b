//! The program `gpx_oura`: Grafana's plugin, and the commands that work without Grafana.

fn main() -> std::process::ExitCode {
    ringside::cli::main()
}
