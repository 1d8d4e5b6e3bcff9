//! What follows a value: names after dots, keys in brackets, splats; and addresses, which are
//! nothing else.

use plumb_diag::{Diagnostic, Span};

use super::expr::{Access, AccessStep, Expr, ExprKind, Step, StepKind, Traversal};
use super::parser::Parser;
use super::token::TokenKind as T;

impl Parser<'_> {
    /// `base` and what follows it.
    pub(super) fn steps(&mut self, base: Expr) -> Expr {
        let mut chain = Chain { base, steps: Vec::new() };
        loop {
            match self.peek() {
                T::Dot => {
                    if !self.dot_step(&mut chain) {
                        break;
                    }
                }
                T::OpenBracket => {
                    let mistakes = self.mistakes();
                    self.bracket_step(&mut chain);
                    if self.failed_since(mistakes) {
                        break;
                    }
                }
                _ => break,
            }
        }
        chain.finish()
    }

    /// Whether the chain can go on.
    fn dot_step(&mut self, chain: &mut Chain) -> bool {
        self.read();
        let dot = self.last_span();
        match self.peek() {
            T::Ident | T::Number => {
                let step = self.constant_dot_step(dot, None);
                chain.push(step);
            }
            T::Star => {
                self.read();
                let star = self.last_span();
                let span = dot.to(star);
                let mut each = Vec::new();
                while self.eat(T::Dot) {
                    let dot = self.last_span();
                    if !matches!(self.peek(), T::Ident | T::Number) {
                        if self.peek() == T::Star {
                            self.guarded(
                                self.peek_span(),
                                "Nested splat expression not allowed",
                                "A splat expression (*) cannot be used inside another \
                                 attribute-only splat expression.",
                            );
                        } else {
                            self.attribute_name_required();
                        }
                        self.set_recovering();
                        break;
                    }
                    each.push(self.constant_dot_step(dot, Some(star)));
                }
                chain.steps.push(AccessStep::AttrSplat { each, span });
            }
            _ => {
                self.attribute_name_required();
                self.set_recovering();
                return false;
            }
        }
        true
    }

    #[cold]
    fn attribute_name_required(&mut self) {
        self.guarded(
            self.peek_span(),
            "Invalid attribute name",
            "An attribute name is required after a dot.",
        );
    }

    /// `.name`, `.0`; the dot was read, and before it perhaps the star of a splat.
    fn constant_dot_step(&mut self, dot: Span, star: Option<Span>) -> Step {
        let kind = self.read();
        let span = dot.to(self.last_span());
        let source = self.last_text();
        let text = self.name(source);
        if kind == T::Ident {
            return Step { kind: StepKind::Attr(text), span };
        }
        if let Some((first, second)) = source.split_once('.') {
            let instead = if star.is_some() {
                "the proper index syntax with a full splat expression [*]"
            } else {
                "the proper index syntax"
            };
            let at = star.unwrap_or(self.last_span());
            self.error(
                Diagnostic::error(
                    "Invalid legacy index syntax",
                    format!(
                        "When using the legacy index syntax, chaining two indexes together is not \
                         permitted. Use {instead} instead, like [{first}][{second}]."
                    ),
                )
                .at(at),
            );
        } else {
            self.check_number(source);
        }
        Step { kind: StepKind::Legacy(text), span }
    }

    fn bracket_step(&mut self, chain: &mut Chain) {
        self.read();
        let open = self.last_span();
        if self.peek() == T::Star {
            self.read();
            if !self.eat(T::CloseBracket) {
                self.guarded(
                    self.peek_span(),
                    "Missing close bracket on splat index",
                    "The star for a full splat operator must be immediately followed by a closing \
                     bracket (\"]\").",
                );
                self.recover(T::CloseBracket);
            }
            chain.steps.push(AccessStep::FullSplat { span: open.to(self.last_span()) });
            return;
        }
        let newlines = self.newlines(false);
        let mistakes = self.mistakes();
        let key = self.expression();
        if self.failed_since(mistakes) {
            self.recover(T::CloseBracket);
        } else if !self.eat(T::CloseBracket) {
            self.guarded(
                self.peek_span(),
                "Missing close bracket on index",
                "The index operator must end with a closing bracket (\"]\").",
            );
            self.recover(T::CloseBracket);
        }
        self.restore_newlines(newlines);
        let span = open.to(self.last_span());
        match key.kind {
            ExprKind::String(text) => chain.push(Step { kind: StepKind::Key(text), span }),
            ExprKind::Number(text) => chain.push(Step { kind: StepKind::Number(text), span }),
            _ => chain.steps.push(AccessStep::Index { key, span }),
        }
    }

    /// An address or similar that fills the rest of the text.
    pub(super) fn whole_traversal(&mut self) -> Option<Traversal> {
        if self.read() != T::Ident {
            let span = self.last_span();
            let detail = "Must begin with a variable name.";
            self.guarded(span, "Variable name required", detail);
            return None;
        }
        let root = self.last_ident();
        let mut steps = Vec::new();
        loop {
            let kind = self.read();
            let start = self.last_span();
            let (summary, detail) = match kind {
                T::End => return Some(Traversal { root, steps }),
                T::Dot if matches!(self.peek(), T::Ident | T::Number) => {
                    steps.push(self.constant_dot_step(start, None));
                    continue;
                }
                T::Dot => ("Attribute name required", "Dot must be followed by attribute name."),
                T::OpenBracket => match self.constant_key(start) {
                    Ok(step) => {
                        steps.push(step);
                        continue;
                    }
                    Err(message) => message,
                },
                _ => ("Invalid character", "Expected an attribute access or an index operator."),
            };
            let at =
                if kind == T::Dot || kind == T::OpenBracket { self.peek_span() } else { start };
            self.guarded(at, summary, detail);
            return None;
        }
    }

    /// `["key"]` or `[0]`, after the bracket.
    fn constant_key(&mut self, open: Span) -> Result<Step, (&'static str, &'static str)> {
        let kind = match self.peek() {
            T::Number => {
                self.read();
                let text = self.last_text();
                self.check_number(text);
                StepKind::Number(self.name(text))
            }
            T::OpenQuote => {
                let expr = self.quoted_template();
                match expr.kind {
                    ExprKind::String(text) => StepKind::Key(text),
                    _ => return Err(KEY_REQUIRED),
                }
            }
            _ => return Err(KEY_REQUIRED),
        };
        if !self.eat(T::CloseBracket) {
            return Err((
                "Unclosed index brackets",
                "Index key must be followed by a closing bracket.",
            ));
        }
        Ok(Step { kind, span: open.to(self.last_span()) })
    }
}

const KEY_REQUIRED: (&str, &str) = (
    "Index value required",
    "Index brackets must contain either a literal number or a literal string.",
);

/// A value and the steps read so far.
struct Chain {
    base: Expr,
    steps: Vec<AccessStep>,
}

impl Chain {
    /// A constant step still belongs to the traversal, if there is nothing but a traversal yet.
    fn push(&mut self, step: Step) {
        match &mut self.base.kind {
            ExprKind::Traversal(traversal) if self.steps.is_empty() => {
                self.base.span = self.base.span.to(step.span);
                traversal.steps.push(step);
            }
            _ => self.steps.push(AccessStep::Step(step)),
        }
    }

    fn finish(self) -> Expr {
        let Chain { base, steps } = self;
        let Some(last) = steps.last() else {
            return base;
        };
        let end = match last {
            AccessStep::AttrSplat { each, span } => each.last().map_or(*span, |it| it.span),
            other => other.span(),
        };
        let span = base.span.to(end);
        Expr { kind: ExprKind::Access(Box::new(Access { base, steps })), span }
    }
}
