//! Nodes in dependency order, and what is known of them from the order alone.

use super::*;

/// Numbers the nodes so that references point backwards.
pub(super) fn order(
    mut modules: Vec<ProgramModule>,
    nodes: Vec<Draft>,
    mut diagnostics: Diagnostics,
) -> (Program, Diagnostics) {
    let edges = nodes
        .iter()
        .enumerate()
        .flat_map(|(to, node)| node.refs.iter().map(move |from| (*from, to as u32)));
    let mut graph: DiGraph<(), (), u32> = DiGraph::with_capacity(nodes.len(), 0);
    for _ in &nodes {
        graph.add_node(());
    }
    graph.extend_with_edges(edges);
    let Ok(sorted) = toposort(&graph, None) else {
        diagnostics.extend(cycles(&graph, &nodes, &modules));
        return (Program { modules, nodes: Vec::new() }, diagnostics);
    };
    let mut number = vec![NodeId(0); nodes.len()];
    for (new, old) in sorted.iter().enumerate() {
        number[old.index()] = NodeId(new as u32);
    }
    let mut drafts: Vec<Option<Draft>> = nodes.into_iter().map(Some).collect();
    let mut res: Vec<Node> = Vec::with_capacity(drafts.len());
    for old in sorted {
        let Some(draft) = drafts[old.index()].take() else { continue };
        let mut refs: Vec<NodeId> = draft.refs.iter().map(|it| number[*it as usize]).collect();
        refs.sort_unstable();
        let kind = match draft.kind {
            NodeKind::Resource(resource) => {
                let provider_node = number[resource.provider_node.0 as usize];
                NodeKind::Resource(Arc::new(ResourceNode { provider_node, ..(*resource).clone() }))
            }
            kind => kind,
        };
        let needs = needs(&res, &refs);
        res.push(Node { module: draft.module, kind, refs: refs.into(), needs, span: draft.span });
    }
    spread_create_first(&mut res);
    let renumber = |id: &mut NodeId| *id = number[id.0 as usize];
    for module in &mut modules {
        if let Some((_, call)) = &mut module.parent {
            renumber(call);
        }
        let names = &mut module.names;
        let simple = [&mut names.variables, &mut names.locals, &mut names.outputs];
        simple.into_iter().flat_map(BTreeMap::values_mut).for_each(renumber);
        names.calls.values_mut().for_each(|(id, _)| renumber(id));
        let resources = [&mut names.managed, &mut names.data];
        let resources = resources.into_iter().flat_map(BTreeMap::values_mut);
        resources.flat_map(BTreeMap::values_mut).for_each(renumber);
    }
    (Program { modules, nodes: res }, diagnostics)
}

/// The resource blocks behind `refs`. Shared where one reference brings them all.
pub(super) fn needs(nodes: &[Node], refs: &[NodeId]) -> Arc<[ConfigAddr]> {
    let mut shared: Vec<&Arc<[ConfigAddr]>> = Vec::new();
    let mut own: BTreeSet<&ConfigAddr> = BTreeSet::new();
    for id in refs {
        let node = &nodes[id.0 as usize];
        match &node.kind {
            NodeKind::Resource(resource) => {
                own.insert(&resource.addr);
                // What a data source says is from what it leans on, and it may be forgotten first.
                if resource.addr.resource.mode == Mode::Data {
                    own.extend(node.needs.iter().filter(|it| it.resource.mode == Mode::Managed));
                }
            }
            _ if node.needs.is_empty() => {}
            _ if shared.iter().any(|it| Arc::ptr_eq(it, &node.needs)) => {}
            _ => shared.push(&node.needs),
        }
    }
    match (&shared[..], own.is_empty()) {
        ([], true) => Arc::new([]),
        ([one], true) => (*one).clone(),
        _ => {
            own.extend(shared.into_iter().flat_map(|it| it.iter()));
            own.into_iter().cloned().collect()
        }
    }
}

/// Create-first spreads to everything that a create-first resource depends on: the new one cannot
/// be made before its needs are, and their old ones are in use until it is.
pub(super) fn spread_create_first(nodes: &mut [Node]) {
    let mut forced = vec![false; nodes.len()];
    for index in (0..nodes.len()).rev() {
        let mut spreads = forced[index];
        if let NodeKind::Resource(resource) = &mut nodes[index].kind {
            spreads |= resource.create_before_destroy;
            if spreads && !resource.create_before_destroy {
                Arc::make_mut(resource).create_before_destroy = true;
            }
        }
        if spreads {
            for id in &nodes[index].refs {
                forced[id.0 as usize] = true;
            }
        }
    }
}

pub(super) fn cycles(
    graph: &DiGraph<(), (), u32>,
    nodes: &[Draft],
    modules: &[ProgramModule],
) -> Diagnostics {
    let cyclic = |members: &Vec<NodeIndex<u32>>| {
        members.len() > 1 || nodes[members[0].index()].refs.contains(&(members[0].index() as u32))
    };
    let mut res = Vec::new();
    for members in kosaraju_scc(graph).into_iter().filter(cyclic) {
        let mut named: Vec<(String, Option<Span>)> = members
            .iter()
            .map(|it| {
                let draft = &nodes[it.index()];
                (title(draft, &modules[draft.module.0 as usize]), draft.span)
            })
            .collect();
        named.sort();
        let names: Vec<&str> = named.iter().map(|it| &*it.0).collect();
        let mut error = Diagnostic::error(
            format!("Cycle: {}", names.join(", ")),
            "Each of these needs another one of them first. Break the circle by taking one of the \
             references out.",
        );
        for (name, span) in &named {
            if let Some(span) = span {
                error = error.related(*span, name.clone());
            }
        }
        res.push(error);
    }
    res
}

pub(super) fn title(draft: &Draft, module: &ProgramModule) -> String {
    let own = match &draft.kind {
        NodeKind::Variable(name) => format!("var.{name}"),
        NodeKind::Local(name) => format!("local.{name}"),
        NodeKind::Output(name) => format!("output.{name}"),
        NodeKind::Call(name, _) => format!("module.{name} (expand)"),
        NodeKind::Gate(call) => format!("module.{call} (depends_on)"),
        NodeKind::Done(_) => "a module (close)".to_owned(),
        NodeKind::Provider(provider) => return provider.addr.to_string(),
        NodeKind::Resource(resource) => return resource.addr.to_string(),
        NodeKind::Check(name) => format!("check.{name}"),
    };
    if module.path.is_root() { own } else { format!("{}.{own}", module.path) }
}
