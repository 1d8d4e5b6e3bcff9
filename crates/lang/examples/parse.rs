//! Reads the files of one module and prints what the parser and the decoder say about them:
//! `cargo run -p plumb-lang --example parse -- FILE…`, or with `--time` how fast they are parsed.

use plumb_diag::Sources;
use plumb_lang::{config, syntax};

fn main() -> std::io::Result<()> {
    let mut sources = Sources::default();
    let mut time = false;
    for path in std::env::args().skip(1) {
        if path == "--time" {
            time = true;
            continue;
        }
        let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let file = sources.add(path.as_str(), text.as_str());
        if time {
            let started = cpu_seconds();
            let parse = syntax::parse(file, &text);
            let seconds = cpu_seconds() - started;
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let megabytes = text.len() as f64 / 1e6;
            println!("{path}: {megabytes:.1} MB, {:.1} MB/s", megabytes / seconds);
            drop(parse);
        }
    }
    let files = sources.files().map(|(id, it)| (name(&it.path), id, &*it.text));
    let (_, diagnostics) = config::decode_texts(files);
    for it in diagnostics {
        let Some(span) = it.span else { continue };
        let (Some(file), Some((start, end))) = (sources.file(span.file), sources.range(span))
        else {
            continue;
        };
        let detail = match it.hint {
            Some(hint) => format!("{} {hint}", it.detail),
            None => it.detail,
        };
        println!(
            "{}:{}:{}-{}:{}: {} | {detail:?}",
            file.path, start.line, start.column, end.line, end.column, it.summary,
        );
    }
    Ok(())
}

/// Processor time of this thread: the machine may be busy with other things.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: u64 = stat.split(' ').next().and_then(|it| it.parse().ok()).unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let seconds = nanoseconds as f64 / 1e9;
    seconds
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |it| it.1)
}
