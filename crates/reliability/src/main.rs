//! `plumb-reliability --tool target/debug/plumb --trials 200 --scenario sigkill`

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use plumb_reliability::run::{Amount, paces, trials};
use plumb_reliability::scenario::Scenario;
use plumb_reliability::table::{Row, markdown};
use plumb_reliability::tool::{Backend, Kind, Tool};
use plumb_reliability::trial::{Bench, Outcome};
use plumb_reliability::{growth, is_installed};

/// Kills, starves and cuts the power of a run, and counts what was lost.
#[derive(Debug, Parser)]
struct Options {
    /// The program
    #[arg(long, default_value = "target/debug/plumb")]
    tool: PathBuf,
    /// The program is Terraform: it acts upon the world through provisioners
    #[arg(long)]
    terraform: bool,
    /// Where the state is kept
    #[arg(long, value_enum, default_value = "local")]
    backend: Backend,
    /// What happens; may be given more than once; everything unless said otherwise
    #[arg(long, value_enum)]
    scenario: Vec<Scenario>,
    /// Trials of each scenario in which it did happen
    #[arg(long, default_value_t = 10)]
    trials: usize,
    /// Resources in the configuration
    #[arg(long, default_value_t = 400)]
    resources: usize,
    /// Calls at once
    #[arg(long, default_value_t = 10)]
    parallelism: u32,
    /// How long a request takes at most before its effect, and after it
    #[arg(long, default_value_t = 10)]
    latency_ms: u64,
    /// Trials at once
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// What chance begins with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the folders of good trials, too
    #[arg(long)]
    keep: bool,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Instead: measure what it costs to record a step in states of these sizes
    #[arg(long, value_delimiter = ',', num_args = 0.., default_missing_value = "100,1000,10000,100000")]
    growth: Option<Vec<usize>>,
}

fn main() -> ExitCode {
    match work(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("plumb-reliability: {error}");
            ExitCode::from(2)
        }
    }
}

/// Tells whether every promise was kept.
fn work(options: &Options) -> Result<bool, Box<dyn Error>> {
    // Short: the path of a socket has at most a hundred characters.
    let base = std::env::temp_dir().join(format!("reliab-{}", std::process::id()));
    std::fs::create_dir_all(&base)?;
    let done = match &options.growth {
        Some(sizes) => measure_growth(&tool(options)?, sizes, &base),
        None => measure(options, &base),
    };
    // Only if nothing is in it.
    let _ = std::fs::remove_dir(&base);
    done
}

fn tool(options: &Options) -> Result<Tool, Box<dyn Error>> {
    let kind = if options.terraform { Kind::Terraform } else { Kind::Plumb };
    // A bare name is looked up in PATH.
    let program = match options.tool.components().count() {
        1 => options.tool.clone(),
        _ => options.tool.canonicalize()?,
    };
    Ok(Tool { program, kind })
}

fn measure_growth(
    tool: &Tool,
    sizes: &[usize],
    base: &std::path::Path,
) -> Result<bool, Box<dyn Error>> {
    let folder = base.join("growth");
    let costs = growth::measure(&folder, sizes, 2_000)?;
    // Beyond that a build without optimisation takes minutes.
    let bearable: Vec<usize> = sizes.iter().copied().filter(|it| *it <= 10_000).collect();
    let whole = growth::applies(tool, &folder, &bearable)?;
    std::fs::remove_dir_all(&folder)?;
    println!(
        "| objects | recording a step, µs | of that in memory, µs | a step of a whole apply, µs |\n\
         |--:|--:|--:|--:|"
    );
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    for cost in &costs {
        let (step, memory) = (micros(cost.step), micros(cost.memory));
        let apply = whole.iter().find(|it| it.0 == cost.objects);
        let apply = apply.map_or("–".to_owned(), |(_, time)| format!("{:.0}", micros(*time)));
        println!("| {} | {step:.0} | {memory:.1} | {apply} |", cost.objects);
    }
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else { return Ok(true) };
    let growth = micros(last.step) / micros(first.step) - 1.0;
    println!("\nGrowth from {} to {}: {:.1} %", first.objects, last.objects, growth * 100.0);
    Ok(growth < 0.1)
}

fn measure(options: &Options, base: &std::path::Path) -> Result<bool, Box<dyn Error>> {
    let backend = options.backend;
    let (scenarios, others): (Vec<_>, Vec<_>) = match &options.scenario[..] {
        [] => Scenario::ALL.to_vec(),
        some => some.to_vec(),
    }
    .into_iter()
    .partition(|it| it.befalls(backend));
    for other in others {
        eprintln!("{} cannot happen to a state in {}: left out", other.name(), backend.name());
    }
    if !is_installed("strace") && scenarios.iter().any(|it| it.needs_strace()) {
        return Err("strace is not installed: eio and power-cut need it".into());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bench = Bench {
        tool: tool(options)?,
        backend: options.backend,
        resources: options.resources,
        parallelism: options.parallelism,
        latency_max: Duration::from_millis(options.latency_ms),
        runtime: runtime.handle().clone(),
        base: base.to_owned(),
        keep: options.keep,
    };
    let paces = paces(&bench, options.jobs)?;
    eprintln!("undisturbed: {paces:?}");
    let mut rows = Vec::new();
    for scenario in scenarios {
        let amount = Amount { trials: options.trials, jobs: options.jobs, seed: options.seed };
        let told = |outcome: &Outcome| eprint!("{}", if outcome.good() { "." } else { "!" });
        eprint!("{} ", scenario.name());
        let outcomes = trials(&bench, scenario, &paces, amount, &told)?;
        eprintln!();
        let row = Row::of(scenario, &outcomes);
        row.complaints.iter().for_each(|it| eprintln!("  {it}"));
        rows.push(row);
    }
    if options.json {
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print!("{}", markdown(&rows));
    }
    Ok(rows.iter().all(Row::good))
}
