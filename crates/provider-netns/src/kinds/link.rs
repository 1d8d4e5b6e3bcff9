//! `netns_link`.

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Block, Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Reference, Rules};
use crate::text::{cidr, read};
use crate::validate::Check;

/// A cable between two hosts, without a network.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_link")]
pub(crate) struct Link {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// Where it ends.
    #[attr(block, min = 2, max = 2)]
    end: Vec<End>,
    /// How much it carries in each direction, in kilobits a second; as much as it can when left out.
    rate_kbit: Option<u64>,
    /// How late everything arrives, in milliseconds. The kernel must have `sch_netem`.
    delay_ms: Option<f64>,
    /// How many packets of a hundred are lost. The kernel must have `sch_netem`.
    loss_percent: Option<f64>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

/// One end of a cable.
#[derive(Block, Clone, Debug, PartialEq)]
pub(crate) struct End {
    /// Name of the host.
    host: String,
    /// The host's address there, with its subnet: `192.168.0.1/30`.
    address: String,
}

/// The least and the most of what says how a cable carries.
const SHAPE: [(&str, f64, f64); 3] =
    [("rate_kbit", 8.0, 1e9), ("delay_ms", 0.001, 1e6), ("loss_percent", 0.0001, 100.0)];

impl Shape for Link {
    const OF: Kind = Kind::Link;
    const RULES: Rules = Rules {
        references: &[Reference { path: &["end", "host"], kind: "netns_host" }],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            let mut ends = Vec::new();
            check.each("end", |end| ends.push((end.text("host"), end.cidr("address"))));
            for (name, least, most) in SHAPE {
                if let Some(number) = check.decimal(name)
                    && !(least..=most).contains(&number)
                {
                    let detail = format!("{number} is not from {least} to {most}.");
                    check.refuse(name, &format!("Invalid {name}"), detail);
                }
            }
            let [(a, at_a), (b, at_b)] = &ends[..] else { return };
            if a.is_some() && a == b {
                check.refuse("end", "Link to itself", "Its ends are in one host. Name another.");
            }
            if let Some((a, _)) = at_a.zip(*at_b).filter(|(a, b)| a.address == b.address) {
                let detail = format!("Both ends have {}.", a.address);
                check.refuse("end", "Address in use", detail);
            }
        })
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        let end = |it: &End| Ok((it.host.clone(), read("end", &it.address, cidr)?));
        let ends = self.end.iter().map(end).collect::<Result<Vec<_>, Failure>>()?;
        let ends = <[_; 2]>::try_from(ends);
        let ends = ends.map_err(|it| {
            let detail = format!("A link has two, found {}.", it.len());
            Failure::new("Wrong number of ends", detail)
        })?;
        let shape = spec::Shape {
            rate: self.rate_kbit.map(|it| it * 1000),
            delay: self.delay_ms.map(|it| (it * 1000.0).round() as u32),
            loss: self.loss_percent.map(|it| (it * 10_000.0).round() as u32),
        };
        Ok(Spec::Link(spec::Link { name: self.name.clone(), ends, shape }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<Link> {
        let Spec::Link(it) = &object.spec else { return None };
        let end =
            |(host, at): &(String, spec::Cidr)| End { host: host.clone(), address: at.to_string() };
        Some(Link {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            end: it.ends.iter().map(end).collect(),
            rate_kbit: it.shape.rate.map(|it| it / 1000),
            delay_ms: it.shape.delay.map(|it| f64::from(it) / 1000.0),
            loss_percent: it.shape.loss.map(|it| f64::from(it) / 10_000.0),
            drift: object.given.drift.clone(),
        })
    }
}
