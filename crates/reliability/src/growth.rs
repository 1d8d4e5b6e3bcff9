//! What it costs to record one step, as the state grows: by itself, and in whole applies.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::tool::{Place, Site, Tool};
use camino::Utf8PathBuf;
use plumb_model::addr::{Addr, ProviderAddr};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote};
use plumb_model::state::{Object, State, Token};
use plumb_model::value::Value;
use plumb_state::{Backup, Folder, Lease, LockInfo, Store};

/// The cost of a step in a state of some size.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Objects in the state.
    pub objects: usize,
    /// Median time of a whole step: written down before and after, and taken into memory.
    pub step: Duration,
    /// Median time of that without the disk's part: of taking it into memory.
    pub memory: Duration,
}

/// A state of some size with a journal that goes on.
struct Grown {
    objects: usize,
    state: State,
    lease: Lease,
    steps: Vec<Duration>,
    memory: Vec<Duration>,
}

/// Measures states of several sizes in turn, `steps` in each.
pub fn measure(folder: &Path, sizes: &[usize], steps: usize) -> io::Result<Vec<Cost>> {
    let mut grown = Vec::new();
    for &objects in sizes {
        grown.push(grow(folder, objects)?);
    }
    // In turn, so that what else the machine does is shared by all.
    for step in 0..steps {
        for it in &mut grown {
            it.step(step as u64)?;
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    Ok((grown.into_iter())
        .map(|mut it| Cost {
            objects: it.objects,
            step: median(&mut it.steps),
            memory: median(&mut it.memory),
        })
        .collect())
}

fn grow(folder: &Path, objects: usize) -> io::Result<Grown> {
    let folder = folder.join(format!("state-{objects}"));
    fs::create_dir_all(&folder)?;
    let folder = Utf8PathBuf::try_from(folder).map_err(io::Error::other)?;
    let place = Folder::new(folder.join("terraform.tfstate"), Backup::Off);
    let store = Store::new(Arc::new(place), Arc::default());
    let mut opened = store.open(Some(&LockInfo::new("measure"))).map_err(io::Error::other)?;
    let provider = provider()?;
    let records = (0..objects).map(|index| {
        let object = Object {
            attrs: attributes(index as u64),
            private: None,
            schema_version: 0,
            provider: provider.clone(),
            needs: Arc::from([]),
            tainted: false,
            create_before_destroy: false,
            unmanaged: None,
        };
        Ok(Event::Recorded { key: address(index as u64)?.current(), object })
    });
    let records: Vec<Event> = records.collect::<io::Result<_>>()?;
    for event in &records {
        record(&mut opened.state, event)?;
    }
    // As after an apply: everything is in the snapshot.
    opened.lease.append(&records).map_err(io::Error::other)?;
    opened.lease.checkpoint(&opened.state).map_err(io::Error::other)?;
    let (steps, memory) = (Vec::new(), Vec::new());
    Ok(Grown { objects, state: opened.state, lease: opened.lease, steps, memory })
}

impl Grown {
    /// One step as the engine does it: creates an object that was not there.
    fn step(&mut self, step: u64) -> io::Result<()> {
        let provider = provider()?;
        let addr = address(self.objects as u64 + step)?;
        let attrs = attributes(self.objects as u64 + step);
        let token = Token { run: 1, step: step as u32 };
        let intent = Intent {
            action: Intended::Create { addr, retire: None },
            provider,
            planned: attrs.clone(),
            schema_version: 0,
            needs: Arc::from([]),
            create_before_destroy: false,
        };
        let remote = Remote { attrs, private: None, complete: true };
        let begun = Instant::now();
        let mut memory = Duration::ZERO;
        let events = [
            Event::Started { token, intent },
            Event::Finished { token, left: Effect::Made(remote) },
        ];
        for event in events {
            self.lease.append(std::slice::from_ref(&event)).map_err(io::Error::other)?;
            let begun = Instant::now();
            record(&mut self.state, &event)?;
            memory += begun.elapsed();
        }
        self.steps.push(begun.elapsed());
        self.memory.push(memory);
        Ok(())
    }
}

fn provider() -> io::Result<Arc<ProviderAddr>> {
    let text = "provider[\"registry.terraform.io/kreuzwerker/docker\"]";
    text.parse().map(Arc::new).map_err(|e| io::Error::other(format!("{e:?}")))
}

fn address(index: u64) -> io::Result<Addr> {
    format!("docker_network.n[{index}]").parse().map_err(|e| io::Error::other(format!("{e:?}")))
}

fn attributes(index: u64) -> Value {
    Value::object([
        ("id", Value::string(format!("{index:064x}"))),
        ("name", Value::string(format!("n-{index}"))),
        ("driver", Value::string("bridge")),
        ("scope", Value::string("local")),
        ("internal", Value::bool(false)),
    ])
}

fn record(state: &mut State, event: &Event) -> io::Result<()> {
    state.record(event).map_err(|e| io::Error::other(e.message))
}

/// The cost of a step in an apply that makes so many objects of nothing, all else included.
pub fn applies(tool: &Tool, folder: &Path, sizes: &[usize]) -> io::Result<Vec<(usize, Duration)>> {
    let mut costs = Vec::new();
    for &objects in sizes {
        let home = folder.join(format!("apply-{objects}"));
        let site = Site {
            tool: tool.clone(),
            place: Place::Folder,
            folder: home.join("work"),
            logs: home.join("logs"),
            socket: home.join("nobody"),
            parallelism: 10,
        };
        fs::create_dir_all(&site.folder)?;
        fs::create_dir_all(&site.logs)?;
        let text = format!(
            "resource \"terraform_data\" \"n\" {{\n  count = {objects}\n  input = count.index\n}}\n"
        );
        fs::write(site.file("main.tf"), text)?;
        let ended = site.run(&["apply"], "apply")?;
        if !ended.well() {
            return Err(io::Error::other(ended.summary()));
        }
        costs.push((objects, ended.took / u32::try_from(objects.max(1)).unwrap_or(u32::MAX)));
    }
    Ok(costs)
}
