//! The tree of expressions.
//!
//! Depth is bounded, so plain recursion over a tree is safe: every nested expression costs the
//! text at least one bracket, quote, operator sign or conditional, and the parser reports and cuts
//! what is nested deeper than [`super::NESTING_MAX`]. What people (and generators) chain without
//! end is flat instead of nested: operators of one precedence ([`Binary`]) and everything that
//! follows a value with a dot or in brackets ([`Access`]). Evaluate both with a loop.

use std::sync::Arc;

use plumb_diag::Span;

use super::ast::Ident;

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// All of its text, parentheses and quotes included. Of a heredoc: from `<<` to the end of
    /// the closing marker.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// Could not be read; a diagnostic says why. Evaluates to an unknown of any type.
    Invalid,
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `1`, `1.5e3`: digits as written, never signed.
    Number(Arc<str>),
    /// A quoted string or heredoc without interpolation and directives: its value.
    String(Arc<str>),
    /// A quoted string or heredoc with more than literal text. Always a string.
    Template(Template),
    /// A quoted string or heredoc that is exactly one interpolation, `"${x}"`: evaluates to what
    /// is inside, of whatever type.
    Wrap(Box<Expr>),
    /// `var.size`, `local.a["k"].b`: a name of the scope, and steps that are known without
    /// evaluating anything. A lone name is a traversal without steps.
    Traversal(Box<Traversal>),
    /// Steps that need evaluation, or into something that is not a name of the scope:
    /// `f(x).y`, `a.b[i]`, `a[*].b`, `a.*.b`. The longest leading part that is a traversal is the
    /// base: `a.b[i].c` is the base `a.b` and the steps `[i]`, `.c`.
    Access(Box<Access>),
    /// `f(a, b...)`
    Call(Box<Call>),
    /// `(x)`
    Paren(Box<Expr>),
    /// `!x`, `-x`
    Unary(Box<Unary>),
    /// `a + b - c`
    Binary(Box<Binary>),
    /// `a ? b : c`
    Conditional(Box<Conditional>),
    /// `[a, b]`
    Tuple(Vec<Expr>),
    /// `{ a = b }`
    Object(Vec<ObjectItem>),
    /// `[for …]`, `{for …}`
    For(Box<For>),
}

/// A name of the scope, and steps from there.
#[derive(Clone, Debug, PartialEq)]
pub struct Traversal {
    /// The first name.
    pub root: Ident,
    /// What follows.
    pub steps: Vec<Step>,
}

/// One step of a [`Traversal`].
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// All of its text, with the dot or the brackets.
    pub span: Span,
}

/// The forms of a constant step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `.name`
    Attr(Arc<str>),
    /// `["key"]`
    Key(Arc<str>),
    /// `[0]`, `[1.5]`: digits as written.
    Number(Arc<str>),
    /// `.0`: an old way to write `[0]`. Digits as written.
    Legacy(Arc<str>),
}

/// Steps from any value.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    /// Where it starts. Never an [`Access`].
    pub base: Expr,
    /// At least one. Evaluate with a loop over the steps.
    pub steps: Vec<AccessStep>,
}

/// One step of an [`Access`].
#[derive(Clone, Debug, PartialEq)]
pub enum AccessStep {
    /// A constant step.
    Step(Step),
    /// `[expression]`
    Index {
        /// The key. May also be a literal that no traversal allows, such as `true`.
        key: Expr,
        /// With the brackets.
        span: Span,
    },
    /// `.*`, applied to every element: the constant steps that follow directly (attributes and
    /// legacy indices, no brackets). Steps after it in [`Access::steps`] apply to the whole
    /// resulting list.
    AttrSplat {
        /// Applied to every element.
        each: Vec<Step>,
        /// `.*`, without `each`.
        span: Span,
    },
    /// `[*]`: *all* steps after it in [`Access::steps`] are applied to every element.
    FullSplat {
        /// `[*]`
        span: Span,
    },
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// With namespaces: `core::upper`, `provider::time::rfc3339_parse`.
    pub name: Ident,
    /// The arguments.
    pub args: Vec<Expr>,
    /// Whether `...` follows the last argument. Then there is at least one.
    pub expand: bool,
    /// The opening parenthesis.
    pub open_span: Span,
    /// The closing parenthesis; empty where it is missing.
    pub close_span: Span,
}

/// An operator before its operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Which.
    pub op: UnaryOp,
    /// The sign.
    pub op_span: Span,
    /// What it applies to.
    pub operand: Expr,
}

/// Operators before an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `-`
    Negate,
}

/// Operators of one precedence in a row, applied from left to right: `a - b + c` is
/// `(a - b) + c`. Evaluate as a fold; `a + b * c` holds `b * c` as an operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The leftmost operand.
    pub first: Expr,
    /// At least one.
    pub rest: Vec<Operation>,
}

/// An operator and its right operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Which.
    pub op: BinaryOp,
    /// The sign.
    pub op_span: Span,
    /// The right operand. The left one is everything before.
    pub operand: Expr,
}

/// Operators between operands, from the loosest to the tightest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// `condition ? yes : no`
#[derive(Clone, Debug, PartialEq)]
pub struct Conditional {
    /// What decides.
    pub condition: Expr,
    /// The value if it holds.
    pub yes: Expr,
    /// The value if not.
    pub no: Expr,
}

/// An entry of an object constructor.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectItem {
    /// The key.
    pub key: ObjectKey,
    /// The value.
    pub value: Expr,
}

/// A key in an object constructor.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectKey {
    /// A bare word stands for itself, `true`, `false` and `null` too.
    Name(Ident),
    /// Evaluated: `(expr)` (with its [`ExprKind::Paren`]), a template, a number, a call, …
    /// A bare [`ExprKind::Traversal`] here, `{ a.b = 1 }`, is Terraform's "Ambiguous attribute
    /// key" when it is evaluated.
    Expr(Expr),
}

/// A `for` expression.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The first of two variables.
    pub key_var: Option<Ident>,
    /// The last variable.
    pub value_var: Ident,
    /// What is looped over.
    pub collection: Expr,
    /// Before `=>`: the result is then an object, else a tuple.
    pub key: Option<Expr>,
    /// The value of an element.
    pub value: Expr,
    /// After `if`.
    pub condition: Option<Expr>,
    /// `...`: values of equal keys are gathered in tuples. Only with a key.
    pub group: bool,
    /// The opening bracket or brace.
    pub open_span: Span,
    /// The closing one; empty where it is missing.
    pub close_span: Span,
}

/// Text with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// In order. Escapes are resolved, indentation of flush heredocs and blanks beside strip
    /// markers (`~`) are already gone.
    pub parts: Vec<Part>,
}

/// One part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text as it is to appear. May be empty.
    Literal {
        /// The text.
        text: Arc<str>,
        /// As written.
        span: Span,
    },
    /// `${ expression }`
    Interpolation {
        /// What is inside.
        expr: Expr,
        /// With the markers.
        span: Span,
    },
    /// `%{ if condition }…%{ else }…%{ endif }`
    If(Box<PartIf>),
    /// `%{ for k, v in collection }…%{ endfor }`
    For(Box<PartFor>),
}

/// A conditional part of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct PartIf {
    /// What decides.
    pub condition: Expr,
    /// The parts if it holds.
    pub yes: Vec<Part>,
    /// The parts if not; empty without `else`.
    pub no: Vec<Part>,
    /// From `%{ if` to the end of `endif }`.
    pub span: Span,
}

/// A repeated part of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct PartFor {
    /// The first of two variables.
    pub key_var: Option<Ident>,
    /// The last variable.
    pub value_var: Ident,
    /// What is looped over.
    pub collection: Expr,
    /// The parts repeated.
    pub body: Vec<Part>,
    /// From `%{ for` to the end of `endfor }`.
    pub span: Span,
}

impl Step {
    /// The step without dot, brackets or quotes.
    pub fn text(&self) -> &Arc<str> {
        match &self.kind {
            StepKind::Attr(text)
            | StepKind::Key(text)
            | StepKind::Number(text)
            | StepKind::Legacy(text) => text,
        }
    }
}

impl Traversal {
    /// From the root to the last step.
    pub fn span(&self) -> Span {
        self.steps.last().map_or(self.root.span, |it| self.root.span.to(it.span))
    }
}

impl AccessStep {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            AccessStep::Step(step) => step.span,
            AccessStep::Index { span, .. } | AccessStep::FullSplat { span } => *span,
            AccessStep::AttrSplat { each, span } => {
                each.last().map_or(*span, |it| span.to(it.span))
            }
        }
    }
}

impl Part {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Part::Literal { span, .. } | Part::Interpolation { span, .. } => *span,
            Part::If(it) => it.span,
            Part::For(it) => it.span,
        }
    }
}

impl BinaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "||",
            BinaryOp::And => "&&",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessOrEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterOrEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
        }
    }

    /// 1 (`||`) to 6 (`*`): a higher one binds tighter.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::Equal | BinaryOp::NotEqual => 3,
            BinaryOp::Less
            | BinaryOp::LessOrEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterOrEqual => 4,
            BinaryOp::Add | BinaryOp::Subtract => 5,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 6,
        }
    }
}

impl UnaryOp {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            UnaryOp::Not => "!",
            UnaryOp::Negate => "-",
        }
    }
}

impl Expr {
    /// The expression without the parentheses around it.
    pub fn unwrapped(&self) -> &Expr {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
