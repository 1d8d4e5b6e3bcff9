//! Verbs and their options.

use clap::{ArgAction, Args, Command, Parser, Subcommand};

use crate::reports::{DiagnosticReportFlags, ReportFlags};

#[derive(Debug, Parser)]
#[command(name = "plumb", disable_help_flag = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Prepare your working directory for other commands
    Init(InitArgs),
    /// Check whether the configuration is valid
    Validate(ValidateArgs),
    /// Show changes required by the current configuration
    Plan(PlanArgs),
    /// Create or update infrastructure
    Apply(ApplyArgs),
    /// Destroy previously-created infrastructure
    Destroy(ApplyArgs),
    /// Try expressions at an interactive command prompt
    Console(ConsoleArgs),
    /// Tell what moved away from what is remembered and declared; changes nothing
    Drift(crate::commands::drift::DriftArgs),
    /// Run a command inside a host, or in the network of a router
    Exec(ExecArgs),
    /// Show what a host's command wrote
    Logs(LogsArgs),
    /// Open a shell inside a host
    Shell(ShellArgs),
    /// Reformat your configuration in the standard style
    Fmt(FmtArgs),
    /// Remove a stuck lock on the current workspace
    ForceUnlock(ForceUnlockArgs),
    /// Follow a git repository: plan each new commit, and apply it under a policy
    Gitops(crate::gitops::args::GitopsArgs),
    /// Generate a Graphviz graph of the steps in an operation
    Graph(GraphArgs),
    /// Associate existing infrastructure with a resource
    Import(ImportArgs),
    /// Look at the lock on the state
    Lock(LockArgs),
    /// Show output values from your root module
    Output(OutputArgs),
    /// Show the providers required for this configuration
    Providers(ProvidersArgs),
    /// Look into what an interrupted run left, and write down what came of it
    Recover(RecoverArgs),
    /// Update the state to match remote systems
    Refresh(ApplyArgs),
    /// Plan the way back to an older snapshot of the state, and go it
    Rollback(RollbackArgs),
    /// Show the current state or a saved plan
    Show(ShowArgs),
    /// Advanced state management
    State(StateArgs),
    /// Mark a resource instance as not fully functional
    Taint(TaintArgs),
    /// Remove the 'tainted' state from a resource instance
    Untaint(TaintArgs),
    /// Show the current version
    Version(VersionArgs),
    /// Watch for drift as it happens, and repair it if asked to
    Watch(crate::commands::watch::WatchArgs),
    /// Workspace management
    Workspace(WorkspaceArgs),
}

/// How to reach the state.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StateFlags {
    /// Path to the state file, "terraform.tfstate" unless said otherwise
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    /// Don't hold a state lock during the operation (-lock=false). This is dangerous if others might concurrently run commands against the same workspace
    #[arg(long, value_name = "BOOL")]
    pub(crate) lock: Option<bool>,
    /// Duration to retry a state lock
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub(crate) lock_timeout: String,
}

/// Where a changed state goes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BackupFlags {
    /// Path to backup the existing state file, "-" to disable
    #[arg(long, value_name = "PATH")]
    pub(crate) backup: Option<String>,
    /// Path to write the changed state to, if it is not "-state"
    #[arg(long, value_name = "PATH")]
    pub(crate) state_out: Option<String>,
}

/// What a person sees.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ViewFlags {
    /// If specified, output won't contain any color
    #[arg(long)]
    pub(crate) no_color: bool,
    /// If any warnings are shown, show them in a more compact form that includes only the summary messages
    #[arg(long)]
    pub(crate) compact_warnings: bool,
}

/// Values of variables. Their order counts, see [`crate::variables`].
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct VarFlags {
    /// Set a value for one of the input variables in the root module, as 'name=value'. Use this option more than once to set more than one
    #[arg(long, value_name = "'NAME=VALUE'", allow_hyphen_values = true)]
    pub(crate) var: Vec<String>,
    /// Load variable values from the given file, in addition to the default files terraform.tfvars and *.auto.tfvars
    #[arg(long, value_name = "FILENAME")]
    pub(crate) var_file: Vec<String>,
    /// Ask for input for variables if not directly set
    #[arg(long, value_name = "BOOL")]
    pub(crate) input: Option<bool>,
}

/// What a plan is held against.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PolicyFlags {
    /// Hold the plan against the Rego policies in this directory. If they refuse it, the exit code is 3. Use this option more than once for several directories
    #[arg(long, value_name = "DIR")]
    pub(crate) policy: Vec<String>,
    /// Ask the policies of this package, "main" unless said otherwise; "all" stands for every package. Use this option more than once for several packages
    #[arg(long, value_name = "NAME")]
    pub(crate) policy_namespace: Vec<String>,
}

/// What kind of plan.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlanFlags {
    /// Select the "destroy" planning mode, which creates a plan to destroy all objects currently managed by this configuration
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Select the "refresh only" planning mode, which checks whether remote objects still match the outcome of the most recent apply but does not propose any actions to undo any changes made outside
    #[arg(long)]
    pub(crate) refresh_only: bool,
    /// Skip checking for external changes to remote objects while creating the plan (-refresh=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) refresh: Option<bool>,
    /// Only repair what drifted; what the configuration asks for by itself waits
    #[arg(long)]
    pub(crate) drift_only: bool,
    /// Force replacement of a particular resource instance using its resource address
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) replace: Vec<String>,
    /// Limit the planning operation to only the given module, resource, or resource instance and all of its dependencies. This is for exceptional use only
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) target: Vec<String>,
    /// Limit the number of concurrent operations
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) parallelism: usize,
}

#[derive(Args, Debug, Default)]
pub(crate) struct InitArgs {
    /// Leave what was set up for the backend as it is (-backend=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) backend: Option<bool>,
    /// Arguments of the backend that its block leaves out: 'NAME=VALUE', or a file of such lines
    #[arg(long, value_name = "CONFIG")]
    pub(crate) backend_config: Vec<String>,
    /// Accepted for compatibility: modules are read where they are
    #[arg(long, value_name = "BOOL")]
    pub(crate) get: Option<bool>,
    /// Ask for what is not given (-input=false: fail instead)
    #[arg(long, value_name = "BOOL")]
    pub(crate) input: Option<bool>,
    /// Accepted for compatibility: providers are compiled in
    #[arg(long)]
    pub(crate) upgrade: bool,
    /// Set up the backend anew, and leave the states where they are
    #[arg(long)]
    pub(crate) reconfigure: bool,
    /// Copy the states to the new backend, after a question
    #[arg(long)]
    pub(crate) migrate_state: bool,
    /// Copy the states to the new backend, without a question
    #[arg(long)]
    pub(crate) force_copy: bool,
    /// Accepted for compatibility
    #[arg(long, value_name = "DIR")]
    pub(crate) plugin_dir: Vec<String>,
    /// Accepted for compatibility
    #[arg(long, value_name = "MODE")]
    pub(crate) lockfile: Option<String>,
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) vars: VarOnlyFlags,
    #[command(flatten)]
    pub(crate) lock: LockFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

/// Values of variables, where nothing is asked for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct VarOnlyFlags {
    /// Set a value for one of the input variables in the root module
    #[arg(long, value_name = "'NAME=VALUE'", allow_hyphen_values = true)]
    pub(crate) var: Vec<String>,
    /// Load variable values from the given file
    #[arg(long, value_name = "FILENAME")]
    pub(crate) var_file: Vec<String>,
}

/// Accepted where there is nothing to lock.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LockFlags {
    /// Accepted for compatibility
    #[arg(long, value_name = "BOOL")]
    pub(crate) lock: Option<bool>,
    /// Accepted for compatibility
    #[arg(long, value_name = "DURATION")]
    pub(crate) lock_timeout: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ValidateArgs {
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: DiagnosticReportFlags,
    /// Accepted for compatibility
    #[arg(long)]
    pub(crate) no_tests: bool,
    #[command(flatten)]
    pub(crate) vars: VarOnlyFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) plan: PlanFlags,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
    /// Return detailed exit codes: 0 for an empty diff, 1 for errors, 2 for a non-empty diff
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Write a plan file to the given path. This can be used as input to the "apply" command
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<String>,
    /// Write the plan to a file to look at with a browser: changes, checks and the network before and after
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<String>,
    /// Write configuration for what "import" blocks bring in, and no resource block names yet, to this new file
    #[arg(long, value_name = "PATH")]
    pub(crate) generate_config_out: Option<String>,
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: ReportFlags,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArgs {
    /// A saved plan
    pub(crate) plan_file: Option<String>,
    /// Skip interactive approval of plan before applying
    #[arg(long)]
    pub(crate) auto_approve: bool,
    #[command(flatten)]
    pub(crate) plan: PlanFlags,
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: ReportFlags,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    /// Where to: a serial that is kept (see "state history"), or the path of a state file
    #[arg(long, value_name = "SERIAL")]
    pub(crate) to: String,
    /// Skip interactive approval of the way back
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Write the plan to this file, for "apply", and do nothing
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<String>,
    /// Skip checking for external changes to remote objects while creating the plan (-refresh=false)
    #[arg(long, value_name = "BOOL")]
    pub(crate) refresh: Option<bool>,
    /// Only the given module, resource, or resource instance and all of its dependencies. Use this option more than once for several
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) target: Vec<String>,
    /// Limit the number of concurrent operations
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) parallelism: usize,
    #[command(flatten)]
    pub(crate) policy: PolicyFlags,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ConsoleArgs {
    /// Evaluate against what a plan would make, instead of what the state has
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct FmtArgs {
    /// Files, directories, or "-" for the standard input; the current directory if left out
    pub(crate) targets: Vec<String>,
    /// Don't list files whose formatting differs (-list=false). Always so if using the standard input
    #[arg(long, value_name = "BOOL")]
    pub(crate) list: Option<bool>,
    /// Don't write to source files (-write=false). Always so if using the standard input or -check
    #[arg(long, value_name = "BOOL")]
    pub(crate) write: Option<bool>,
    /// Display diffs of formatting changes
    #[arg(long)]
    pub(crate) diff: bool,
    /// Check if the input is formatted. Exit status is 0 if all input is properly formatted, and 3 otherwise
    #[arg(long)]
    pub(crate) check: bool,
    /// Also process files in subdirectories. By default, only the given directory (or current directory) is processed
    #[arg(long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct LockArgs {
    #[command(subcommand)]
    pub(crate) verb: LockVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LockVerb {
    /// Show whether somebody holds it, and who
    Status(StateLookArgs),
}

#[derive(Args, Debug)]
pub(crate) struct RecoverArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Limit the number of concurrent operations
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) parallelism: usize,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ForceUnlockArgs {
    /// The ID of the lock, as the error message gives it
    pub(crate) lock_id: String,
    /// Don't ask for input for unlock confirmation
    #[arg(long)]
    pub(crate) force: bool,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    /// Render the graph of the plan in this file
    #[arg(long, value_name = "TFPLAN")]
    pub(crate) plan: Option<String>,
    /// Accepted for compatibility
    #[arg(long)]
    pub(crate) draw_cycles: bool,
    /// "plan", "plan-refresh-only", "plan-destroy" or "apply": with it every node is drawn, else only resources; "topology": the network of the state or, with -plan, before and after, as SVG
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// With -type=topology: for Mermaid instead
    #[arg(long)]
    pub(crate) mermaid: bool,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Where to
    pub(crate) addr: String,
    /// What: the id in the remote system
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    /// Accepted for compatibility
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<String>,
    /// Limit the number of concurrent operations
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) parallelism: usize,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

/// Which object, and how its provider is configured.
#[derive(Args, Debug)]
pub(crate) struct ObjectFlags {
    /// Which: the address of a resource instance
    pub(crate) addr: String,
    #[command(flatten)]
    pub(crate) vars: VarFlags,
    /// Path to the state file, "terraform.tfstate" unless said otherwise
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) object: ObjectFlags,
    /// The command and its arguments, after "--"
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ShellArgs {
    #[command(flatten)]
    pub(crate) object: ObjectFlags,
}

#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) object: ObjectFlags,
    /// At most so many bytes, from the end
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub(crate) tail_bytes: u64,
}

#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Only this output
    pub(crate) name: Option<String>,
    /// If specified, machine readable output will be printed in JSON format
    #[arg(long)]
    pub(crate) json: bool,
    /// For value types that can be automatically converted to a string, print the raw string directly
    #[arg(long)]
    pub(crate) raw: bool,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ProvidersArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<ProvidersVerb>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProvidersVerb {
    /// Show schemas for the providers used in the configuration
    Schema(SchemaArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Print as JSON; required
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// A state file or a saved plan; the current state if left out
    pub(crate) path: Option<String>,
    /// If specified, output the plan or state in a machine-readable form
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) verb: StateVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateVerb {
    /// Show what differs between two snapshots of the state
    Diff(StateDiffArgs),
    /// Show who changed the state, when, and what came of it
    History(StateLookArgs),
    /// List resources in the state
    List(StateListArgs),
    /// Move an item in the state
    Mv(StateMvArgs),
    /// Pull current state and output to stdout
    Pull(StatePullArgs),
    /// Update remote state from a local state file
    Push(StatePushArgs),
    /// Remove instances from the state
    Rm(StateRmArgs),
    /// Show a resource in the state
    Show(StateShowArgs),
    /// Replace provider in the state
    ReplaceProvider(StateReplaceProviderArgs),
    /// Check everything that is kept of the state
    Verify(StateLookArgs),
}

/// Which state is looked at, and how that is told.
#[derive(Args, Debug)]
pub(crate) struct StateLookArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateDiffArgs {
    /// The one: a serial that is kept, "current", or the path of a state file
    pub(crate) a: String,
    /// The other
    pub(crate) b: String,
    /// Return detailed exit codes: 0 if they are equal, 1 for errors, 2 if they differ
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateListArgs {
    /// Only what these name
    pub(crate) addrs: Vec<String>,
    /// Only objects with this id
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateMvArgs {
    /// The old address
    pub(crate) from: String,
    /// The new one
    pub(crate) to: String,
    /// Only say what would be moved
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateRmArgs {
    /// What is no longer managed
    #[arg(required = true)]
    pub(crate) addrs: Vec<String>,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StatePullArgs {
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StatePushArgs {
    /// The state file to take; "-" is the standard input
    pub(crate) path: String,
    /// Write the state even if lineages don't match or the remote serial is higher
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateShowArgs {
    /// Which
    pub(crate) addr: String,
    /// Path to the state file
    #[arg(long, value_name = "PATH")]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct StateReplaceProviderArgs {
    /// The old source address
    pub(crate) from: String,
    /// The new one
    pub(crate) to: String,
    /// Skip interactive approval
    #[arg(long)]
    pub(crate) auto_approve: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct TaintArgs {
    /// Which
    pub(crate) addr: String,
    /// If specified, the command will succeed even if the resource is missing
    #[arg(long)]
    pub(crate) allow_missing: bool,
    #[command(flatten)]
    pub(crate) state: StateFlags,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct VersionArgs {
    /// Output the version information as a JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct WorkspaceArgs {
    #[command(subcommand)]
    pub(crate) verb: WorkspaceVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceVerb {
    /// List workspaces
    List(WorkspaceListArgs),
    /// Show the name of the current workspace
    Show(WorkspaceListArgs),
    /// Create a new workspace
    New(WorkspaceNameArgs),
    /// Select a workspace
    Select(WorkspaceNameArgs),
    /// Delete a workspace
    Delete(WorkspaceNameArgs),
}

#[derive(Args, Debug)]
pub(crate) struct WorkspaceNameArgs {
    /// Its name
    pub(crate) name: String,
    /// Delete it even if it still manages objects
    #[arg(long)]
    pub(crate) force: bool,
    /// Make it if there is none of that name
    #[arg(long)]
    pub(crate) or_create: bool,
    #[command(flatten)]
    pub(crate) lock: LockFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

#[derive(Args, Debug)]
pub(crate) struct WorkspaceListArgs {
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

/// Options that are on unless they are set to false.
const ON: [&str; 8] = ["refresh", "input", "lock", "backend", "get", "list", "write", "github"];

/// The parser. Flags take a value with an equals sign, as Go's do: `-lock=false`.
pub(crate) fn command() -> Command {
    use clap::CommandFactory;
    tuned(Cli::command())
}

fn tuned(command: Command) -> Command {
    let command = command
        .args_override_self(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .mut_args(|arg| {
            let boolean = clap::builder::BoolishValueParser::new();
            let on = ON.contains(&arg.get_id().as_str());
            if on || matches!(arg.get_action(), ArgAction::SetTrue) {
                let arg = arg
                    .action(ArgAction::Set)
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true")
                    .value_parser(boolean);
                return if on { arg } else { arg.default_value("false") };
            }
            arg
        });
    let names: Vec<String> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, tuned))
}
