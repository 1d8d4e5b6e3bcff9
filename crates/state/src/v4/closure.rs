//! What every block leans on, directly or through others: Terraform's file lists both.
//!
//! All lists together can be as long as the square of the state (a chain), so there is a limit:
//! beyond it only direct ones are written. Terraform then finds the order of deletions through the
//! objects between, which are in the same file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::addr::ConfigAddr;
use plumb_model::state::State;

/// What each block leans on, in the order in which it is written.
pub(super) struct Closure<'a> {
    /// Every block that is needed or needs, in the order of its spelling.
    names: Vec<(String, &'a ConfigAddr)>,
    ids: BTreeMap<&'a ConfigAddr, u32>,
    /// Of each, all it leans on, sorted; none when there would be too much to write.
    all: Option<Vec<Vec<u32>>>,
}

/// A block, how many objects it has, and what one of them leans on.
pub(super) struct Needs<'a> {
    pub(super) block: &'a ConfigAddr,
    pub(super) objects: usize,
    pub(super) direct: &'a [ConfigAddr],
}

impl<'a> Closure<'a> {
    pub(super) fn new(needs: &[Needs<'a>]) -> Closure<'a> {
        let addrs: BTreeSet<&ConfigAddr> =
            needs.iter().flat_map(|it| it.direct.iter().chain([it.block])).collect();
        let mut names: Vec<_> = addrs.into_iter().map(|addr| (addr.to_string(), addr)).collect();
        names.sort_unstable();
        let ids: BTreeMap<&ConfigAddr, u32> =
            names.iter().zip(0..).map(|((_, addr), id)| (*addr, id)).collect();
        let mut direct = vec![Vec::new(); names.len()];
        let mut objects = vec![0; names.len()];
        for it in needs {
            let id = ids[it.block] as usize;
            objects[id] += it.objects;
            direct[id].extend(it.direct.iter().map(|addr| ids[addr]));
        }
        let all = transitive(direct, &objects);
        Closure { names, ids, all }
    }

    fn addrs(&self, direct: &[ConfigAddr]) -> Arc<[ConfigAddr]> {
        let known = |addr: &&ConfigAddr| self.ids.contains_key(*addr);
        let own: BTreeSet<u32> = direct.iter().filter(known).map(|addr| self.ids[addr]).collect();
        let mut list = own.clone();
        if let Some(all) = &self.all {
            list.extend(own.iter().flat_map(|id| &all[*id as usize]));
        }
        list.into_iter().map(|id| self.names[id as usize].1.clone()).collect()
    }

    /// What to write for an object: all it leans on, and whether that is more than `direct`.
    pub(super) fn of(&self, direct: &[ConfigAddr]) -> (Vec<&str>, bool) {
        let own: BTreeSet<u32> = direct.iter().map(|addr| self.ids[addr]).collect();
        let mut list = own.clone();
        if let Some(all) = &self.all {
            list.extend(own.iter().flat_map(|id| &all[*id as usize]));
        }
        let more = list.len() > own.len();
        (list.into_iter().map(|id| &*self.names[id as usize].0).collect(), more)
    }
}

/// The state with everything that each object leans on, directly or not, as it is written.
pub fn with_all_needs(state: &State) -> State {
    let mut blocks: BTreeMap<ConfigAddr, (usize, Arc<[ConfigAddr]>)> = BTreeMap::new();
    for (key, object) in &state.objects {
        let entry = blocks.entry(key.addr.config()).or_insert((0, object.needs.clone()));
        entry.0 += 1;
    }
    let needs: Vec<Needs<'_>> = blocks
        .iter()
        .map(|(block, (objects, direct))| Needs { block, objects: *objects, direct })
        .collect();
    let closure = Closure::new(&needs);
    let mut res = state.clone();
    let mut last: Option<(Arc<[ConfigAddr]>, Arc<[ConfigAddr]>)> = None;
    for object in res.objects.values_mut().filter(|it| !it.needs.is_empty()) {
        let all = match &last {
            Some((direct, all)) if Arc::ptr_eq(direct, &object.needs) => all.clone(),
            _ => closure.addrs(&object.needs),
        };
        last = Some((object.needs.clone(), all.clone()));
        object.needs = all;
    }
    res
}

/// Of each, all it leads to. None when writing it for all objects would be too much.
fn transitive(mut direct: Vec<Vec<u32>>, objects: &[usize]) -> Option<Vec<Vec<u32>>> {
    let count = direct.len();
    let total: usize = objects.iter().sum();
    let mut budget = 16 * total + 20_000;
    // Merging costs time even where the results are short.
    let mut effort = 16 * budget;
    let mut all: Vec<Vec<u32>> = vec![Vec::new(); count];
    for list in &mut direct {
        list.sort_unstable();
        list.dedup();
    }
    // Depth first, with a stack of our own: chains are long. A cycle (records of a block's old and
    // new instances can make one) is cut where it closes.
    let mut seen = vec![false; count];
    let mut stamp = vec![u32::MAX; count];
    for root in 0..count {
        let mut stack = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((at, next)) = stack.pop() {
            if let Some(&to) = direct[at].get(next) {
                stack.push((at, next + 1));
                if !std::mem::replace(&mut seen[to as usize], true) {
                    stack.push((to as usize, 0));
                }
                continue;
            }
            let mut list = Vec::new();
            for &to in &direct[at] {
                effort = effort.checked_sub(1 + all[to as usize].len())?;
                for &it in all[to as usize].iter().chain([&to]) {
                    if std::mem::replace(&mut stamp[it as usize], at as u32) != at as u32 {
                        list.push(it);
                    }
                }
            }
            list.sort_unstable();
            budget = budget.checked_sub(list.len() * objects[at].max(1))?;
            all[at] = list;
        }
    }
    Some(all)
}
