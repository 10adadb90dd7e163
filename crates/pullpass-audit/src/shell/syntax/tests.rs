//! Each row of the tables is something that was seen in, or is modelled on, a
//! real CI script; the right column is what a shell would make of it.

use super::*;
use std::fmt::Write as _;

// A compact notation: every command in brackets, words separated by blanks,
// expansions spelled out.

pub(super) fn dump(text: &str) -> String {
    let script = parse(text);
    let mut out = items(&script.items);
    if !script.errors.is_empty() {
        let messages: Vec<_> = script.errors.iter().map(|e| e.message).collect();
        let _ = write!(out, " !! {}", messages.join(", "));
    }
    out
}

fn items(items: &[AndOr]) -> String {
    let all: Vec<String> = items
        .iter()
        .map(|item| {
            let mut out = pipeline(&item.first);
            for (op, next) in &item.rest {
                out.push_str(if *op == AndOrOp::And { " && " } else { " || " });
                out.push_str(&pipeline(next));
            }
            if item.background {
                out.push_str(" &");
            }
            out
        })
        .collect();
    all.join("; ")
}

fn pipeline(p: &Pipeline) -> String {
    let mut out = String::new();
    if p.timed {
        out.push_str("time ");
    }
    if p.negated {
        out.push_str("! ");
    }
    let commands: Vec<String> = p.commands.iter().map(command).collect();
    out + &commands.join(" | ")
}

fn list(l: &List) -> String {
    items(&l.items)
}

fn words(ws: &[Word]) -> String {
    ws.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn command(c: &Command) -> String {
    let mut out = match &c.kind {
        CommandKind::Simple {
            assignments,
            words: w,
        } => {
            let mut all: Vec<String> = assignments
                .iter()
                .map(|a| {
                    let index = a
                        .index
                        .as_ref()
                        .map_or(String::new(), |w| format!("[{}]", word(w)));
                    let plus = if a.append { "+" } else { "" };
                    let value = match &a.value {
                        AssignValue::Scalar(w) => word(w),
                        AssignValue::Array(ws) => format!("({})", words(ws)),
                    };
                    format!("{}{index}{plus}:={value}", a.name)
                })
                .collect();
            all.extend(w.iter().map(word));
            format!("[{}]", all.join(" "))
        }
        CommandKind::Subshell(l) => format!("( {} )", list(l)),
        CommandKind::Group(l) => format!("{{ {} }}", list(l)),
        CommandKind::If {
            branches,
            otherwise,
        } => {
            let mut out = String::new();
            for b in branches {
                let _ = write!(out, "if {} then {} ", list(&b.cond), list(&b.body));
            }
            if let Some(l) = otherwise {
                let _ = write!(out, "else {} ", list(l));
            }
            out + "fi"
        }
        CommandKind::While { until, cond, body } => format!(
            "{} {} do {} done",
            if *until { "until" } else { "while" },
            list(cond),
            list(body)
        ),
        CommandKind::For {
            var,
            words: w,
            body,
        } => format!(
            "for {var} in {} do {} done",
            w.as_ref().map_or("ARGS".to_owned(), |w| words(w)),
            list(body)
        ),
        CommandKind::Select {
            var,
            words: w,
            body,
        } => format!(
            "select {var} in {} do {} done",
            w.as_ref().map_or("ARGS".to_owned(), |w| words(w)),
            list(body)
        ),
        CommandKind::ForArith { text, body } => format!("for (({text})) do {} done", list(body)),
        CommandKind::Case { word: w, arms } => {
            let mut out = format!("case {} in ", word(w));
            for arm in arms {
                let patterns: Vec<_> = arm.patterns.iter().map(word).collect();
                let _ = write!(out, "{}) {} ;; ", patterns.join("|"), list(&arm.body));
            }
            out + "esac"
        }
        CommandKind::Function { name, body } => format!("{name}() {}", command(body)),
        CommandKind::Test(w) => format!("[[ {} ]]", words(w)),
        CommandKind::Arith { text, .. } => format!("(({text}))"),
        CommandKind::Coproc { name, body } => format!(
            "coproc {} {}",
            name.as_deref().unwrap_or("-"),
            command(body)
        ),
        CommandKind::Opaque { text, .. } => format!("OPAQUE<{text}>"),
    };
    for r in &c.redirects {
        out.push(' ');
        match &r.fd {
            Some(Fd::Number(n)) => {
                let _ = write!(out, "{n}");
            }
            Some(Fd::Variable(v)) => {
                let _ = write!(out, "{{{v}}}");
            }
            None => {}
        }
        out.push_str(match r.op {
            RedirectOp::In => "<",
            RedirectOp::Out => ">",
            RedirectOp::Append => ">>",
            RedirectOp::ReadWrite => "<>",
            RedirectOp::Clobber => ">|",
            RedirectOp::OutErr => "&>",
            RedirectOp::AppendErr => "&>>",
            RedirectOp::DupIn => "<&",
            RedirectOp::DupOut => ">&",
            RedirectOp::HereDoc => "<<",
            RedirectOp::HereDocDash => "<<-",
            RedirectOp::HereString => "<<<",
        });
        match &r.target {
            RedirectTarget::Word(w) => out.push_str(&word(w)),
            RedirectTarget::HereDoc(doc) => {
                let quote = if doc.quoted { "'" } else { "" };
                let end = if doc.terminated { "" } else { "..." };
                let _ = write!(out, "{quote}{}{quote}", doc.delimiter);
                let _ = write!(out, "<{}{end}>", parts(&doc.body).replace('\n', "/"));
            }
        }
    }
    out
}

fn word(w: &Word) -> String {
    parts(&w.parts)
}

fn parts(parts: &[Part]) -> String {
    parts.iter().map(|p| part(&p.kind)).collect()
}

fn part(kind: &PartKind) -> String {
    match kind {
        PartKind::Literal(t) => t.to_string(),
        PartKind::Escaped(c) => format!("\\{c}"),
        PartKind::SingleQuoted(t) => format!("'{t}'"),
        PartKind::AnsiQuoted(t) => format!("$'{}'", t.escape_debug()),
        PartKind::DoubleQuoted(p) => format!("\"{}\"", parts(p)),
        PartKind::Param(p) => param(p),
        PartKind::Command { list: l, style } => match style {
            SubstStyle::Dollar => format!("$({})", list(l)),
            SubstStyle::Backtick => format!("`{}`", list(l)),
        },
        PartKind::Arith { text, .. } => format!("$(({text}))"),
        PartKind::ProcessSubst { dir, list: l } => {
            let sign = if *dir == ProcessDir::In { '<' } else { '>' };
            format!("{sign}({})", list(l))
        }
        PartKind::Glob(c) => format!("⟨{c}⟩"),
        PartKind::ExtGlob(t) => format!("⟨{t}⟩"),
        PartKind::Tilde(t) => format!("⟨~{t}⟩"),
        PartKind::Array(w) => format!("({})", words(w)),
        PartKind::Opaque { text, .. } => format!("OPAQUE<{text}>"),
    }
}

fn param(p: &ParamExpansion) -> String {
    let colon = |c: bool| if c { ":" } else { "" };
    let twice = |c: char, d: bool| if d { format!("{c}{c}") } else { c.to_string() };
    let bang = if p.indirect { "!" } else { "" };
    let index = p
        .index
        .as_ref()
        .map_or(String::new(), |w| format!("[{}]", word(w)));
    let head = format!("{bang}{}{index}", p.name);
    match &p.op {
        ParamOp::None => format!("${{{head}}}"),
        ParamOp::Length => format!("${{#{head}}}"),
        ParamOp::Default { colon: c, word: w } => format!("${{{head}{}-{}}}", colon(*c), word(w)),
        ParamOp::AssignDefault { colon: c, word: w } => {
            format!("${{{head}{}={}}}", colon(*c), word(w))
        }
        ParamOp::Error { colon: c, word: w } => format!("${{{head}{}?{}}}", colon(*c), word(w)),
        ParamOp::Alternative { colon: c, word: w } => {
            format!("${{{head}{}+{}}}", colon(*c), word(w))
        }
        ParamOp::RemovePrefix { longest, pattern } => {
            format!("${{{head}{}{}}}", twice('#', *longest), word(pattern))
        }
        ParamOp::RemoveSuffix { longest, pattern } => {
            format!("${{{head}{}{}}}", twice('%', *longest), word(pattern))
        }
        ParamOp::Replace {
            all,
            anchor,
            pattern,
            with,
        } => {
            let anchor = match anchor {
                Anchor::None => "",
                Anchor::Start => "^",
                Anchor::End => "$",
            };
            let slashes = twice('/', *all);
            format!(
                "${{{head}{slashes}{anchor}<{}><{}>}}",
                word(pattern),
                word(with)
            )
        }
        ParamOp::Substring { offset, length } => {
            let length = length
                .as_ref()
                .map_or(String::new(), |w| format!(":{}", word(w)));
            format!("${{{head}:{}{length}}}", word(offset))
        }
        ParamOp::Case { op, all, pattern } => {
            format!("${{{head}{}{}}}", twice(*op, *all), word(pattern))
        }
        ParamOp::Other(raw) => format!("${{{head}?{raw}?}}"),
    }
}

fn check(table: &[(&str, &str)]) {
    let mut bad = String::new();
    for (text, want) in table {
        let got = dump(text);
        if got != *want {
            let _ = write!(bad, "\n  text: {text:?}\n  want: {want}\n  got:  {got}\n");
        }
    }
    assert!(bad.is_empty(), "{bad}");
}

#[test]
fn simple_commands_and_operators_are_separated() {
    check(&[
        ("", ""),
        ("  \n\n# only a comment\n", ""),
        ("docker login", "[docker login]"),
        ("a;b & c", "[a]; [b] &; [c]"),
        ("a && b || c", "[a] && [b] || [c]"),
        ("a |& b | c", "[a] | [b] | [c]"),
        ("cmd1 && \\\n  cmd2", "[cmd1] && [cmd2]"),
        ("cmd1 &&\n\n  # why\n  cmd2", "[cmd1] && [cmd2]"),
        ("a |\n  # note\n  b", "[a] | [b]"),
        ("docker run \\\n  --rm \\\n  img", "[docker run --rm img]"),
        (
            "docker run \\\r\n  --rm \\\r\n  img\r\nnext\r\n",
            "[docker run --rm img]; [next]",
        ),
        ("docker run \\\n  # note\nimg", "[docker run]; [img]"),
        ("do\\\ncker pull al\\\npine", "[docker pull alpine]"),
        ("echo a#b #c", "[echo a#b]"),
        ("! docker info", "! [docker info]"),
        ("time docker build .", "time [docker build .]"),
        ("time -p docker build .", "time [docker build .]"),
        ("while a\ndo\\\n b; done", "while [a] do [b] done"),
        ("echo if then fi", "[echo if then fi]"),
        ("coproc foo -x", "coproc - [foo -x]"),
        ("coproc C { a; }", "coproc C { [a] }"),
    ]);
}

#[test]
fn compound_commands_keep_their_structure() {
    check(&[
        (
            "if ! docker info; then\n  exit 1\nfi",
            "if ! [docker info] then [exit 1] fi",
        ),
        (
            "if a; then b; elif c; then d; else e; fi >log 2>&1",
            "if [a] then [b] if [c] then [d] else [e] fi >log 2>&1",
        ),
        (
            "[[ -n $X ]] && docker login",
            "[[ -n ${X} ]] && [docker login]",
        ),
        (
            "[[ $a == b* || ( ! -f x && $y < z ) ]]",
            "[[ ${a} == b⟨*⟩ || ( ! -f x && ${y} < z ) ]]",
        ),
        (
            "if [[ $t =~ ^v([0-9]+|x y)$ ]]; then a; fi",
            "if [[ ${t} =~ ^v([0-9]+|x y)$ ]] then [a] fi",
        ),
        (
            "[[ -n $a &&\n -n $b\n  || c ]]",
            "[[ -n ${a} && -n ${b} || c ]]",
        ),
        (
            "for i in 1 2 3; do docker pull x && break || sleep 5; done",
            "for i in 1 2 3 do [docker pull x] && [break] || [sleep 5] done",
        ),
        (
            "until docker push x\ndo\n sleep 1\ndone",
            "until [docker push x] do [sleep 1] done",
        ),
        (
            "n=0; while (( n < 5 )); do ((n++)); done",
            "[n:=0]; while (( n < 5 )) do ((n++)) done",
        ),
        (
            "for x in $(docker ps -q); do docker rm $x; done",
            "for x in $([docker ps -q]) do [docker rm ${x}] done",
        ),
        ("for x; do a; done", "for x in ARGS do [a] done"),
        ("for x\nin a b\ndo c; done", "for x in a b do [c] done"),
        (
            "for ((i=0; i<3; i++)); do a; done",
            "for ((i=0; i<3; i++)) do [a] done",
        ),
        ("for x in a; { b; }", "for x in a do [b] done"),
        ("select x in a b; do c; done", "select x in a b do [c] done"),
        (
            "case $1 in\n  a|b) x ;;\n  (c) y ;&\n  *) z\nesac",
            "case ${1} in a|b) [x] ;; c) [y] ;; ⟨*⟩) [z] ;; esac",
        ),
        (
            "case \"$x\" in linux*) a;; esac | b",
            "case \"${x}\" in linux⟨*⟩) [a] ;; esac | [b]",
        ),
        ("f() { docker pull x; }", "f() { [docker pull x] }"),
        (
            "function f {\n a\n}\nfunction g()\n{\n b\n}\nf",
            "f() { [a] }; g() { [b] }; [f]",
        ),
        ("docker-up () ( a )", "docker-up() ( [a] )"),
        ("{ a; b; } | c", "{ [a]; [b] } | [c]"),
        ("(cd x && make) && y", "( [cd x] && [make] ) && [y]"),
        ("((a); b)", "( ( [a] ); [b] )"),
        ("echo }; { echo }; }", "[echo }]; { [echo }] }"),
        (
            "while read -r l; do a \"$l\"; done < <(docker images)",
            "while [read -r l] do [a \"${l}\"] done <<([docker images])",
        ),
    ]);
}

#[test]
fn words_keep_their_quoting() {
    check(&[
        (
            r#"echo "a b" 'c $d' $'e\n\x41\'' $"f""#,
            r#"[echo "a b" 'c $d' $'e\nA\'' "f"]"#,
        ),
        (r#"echo "a\"b\$c\d\`""#, "[echo \"a\"b$c\\d`\"]"),
        (r"echo a\ b \* \$x", r"[echo a\ b \* \$x]"),
        ("echo *.tar ?x [ab] [ x", "[echo ⟨*⟩.tar ⟨?⟩x ⟨[⟩ab] [ x]"),
        ("[ -f x ] && y", "[[ -f x ]] && [y]"),
        ("ls ~/x ~bob a~ x=~", "[ls ⟨~⟩/x ⟨~bob⟩ a~ x=~]"),
        ("PATH=~/a:~/b go", "[PATH:=⟨~⟩/a:⟨~⟩/b go]"),
        ("rm -rf !(keep|me)", "[rm -rf ⟨!(keep|me)⟩]"),
        (
            "[[ $x == @(a|b|\n  |c) ]]; y @(a\nb",
            "[[ ${x} == ⟨@(a|b|\n  |c)⟩ ]]; [y @]; ( [a]; [b] ) !! expected a separator, unterminated parenthesis",
        ),
        ("A=1 B+=2 C[0]=x cmd D=3", "[A:=1 B+:=2 C[0]:=x cmd D=3]"),
        ("args=(a \"b c\" # note\n $d\n)", "[args:=(a \"b c\" ${d})]"),
        (
            r#"docker run "${args[@]}" img"#,
            r#"[docker run "${args[@]}" img]"#,
        ),
        (
            "declare -A m=([a]=1 [b]=2)",
            "[declare -A m=(⟨[⟩a]=1 ⟨[⟩b]=2)]",
        ),
        ("export A=\"$B\" C", "[export A=\"${B}\" C]"),
        ("a <(b) >(c)", "[a <([b]) >([c])]"),
        ("echo \"a\nb\r\nc\"", "[echo \"a\nb\nc\"]"),
        (
            "docker run --rm img bash -c 'set -e; docker pull x'",
            "[docker run --rm img bash -c 'set -e; docker pull x']",
        ),
        ("echo {a,b} ${x}{", "[echo {a,b} ${x}{]"),
        (
            "echo \u{F0001} \u{F0002}x=1",
            "[echo \u{F0001} \u{F0002}x=1]",
        ),
        ("\u{F0001}_TAG=x run", "[\u{F0001}_TAG:=x run]"),
        ("if\u{F0001}", "[if\u{F0001}]"),
        ("'if' a; \\if b", "['if' a]; [\\if b]"),
    ]);
}

#[test]
fn expansions_are_taken_apart() {
    check(&[
        ("echo $a$1$@$$ $ $%", "[echo ${a}${1}${@}${$} $ $%]"),
        (
            "echo ${a} ${#a} ${#} ${!a} ${a[0]} ${#a[@]}",
            "[echo ${a} ${#a} ${#} ${!a} ${a[0]} ${#a[@]}]",
        ),
        (
            "echo ${a:-b} ${a-b} ${a:=c} ${a:?d e} ${a+f}",
            "[echo ${a:-b} ${a-b} ${a:=c} ${a:?d e} ${a+f}]",
        ),
        (
            "echo ${a#v} ${a##*/} ${a%.*} ${a%%-}",
            "[echo ${a#v} ${a##⟨*⟩/} ${a%.⟨*⟩} ${a%%-}]",
        ),
        (
            "echo ${a/b/c} ${a//\\//-} ${a/#x/y} ${a/%x}",
            "[echo ${a/<b><c>} ${a//<\\/><->} ${a/^<x><y>} ${a/$<x><>}]",
        ),
        (
            "echo ${a:1} ${a:1:2} ${a: -3}",
            "[echo ${a:1} ${a:1:2} ${a: -3}]",
        ),
        (
            "echo ${a^} ${a,,} ${a@Q} ${!a*}",
            "[echo ${a^} ${a,,} ${a?@Q?} ${!a?*?}]",
        ),
        (
            "echo \"${a:-$(docker ps)}\"",
            "[echo \"${a:-$([docker ps])}\"]",
        ),
        (
            "echo \"${a:-'x'}\" ${a:-'x'}",
            "[echo \"${a:-'x'}\" ${a:-'x'}]",
        ),
        ("echo \"${a:-\"b c\"}\"", "[echo \"${a:-\"b c\"}\"]"),
        (
            "x=$(docker ps \"$(cat \"a b\")\")",
            "[x:=$([docker ps \"$([cat \"a b\"])\"])]",
        ),
        ("x=$((1 + (2*3)))", "[x:=$((1 + (2*3)))]"),
        ("x=$((cd a; ls) | wc)", "[x:=$(( [cd a]; [ls] ) | [wc])]"),
        ("x=`docker ps -q`", "[x:=`[docker ps -q]`]"),
        ("x=`a \\`b \\$c\\``", "[x:=`[a `[b ${c}]`]`]"),
        ("\"`echo \\\"a b\\\"`\"", "[\"`[echo \"a b\"]`\"]"),
        ("$(case x in a) b;; esac)", "[$(case x in a) [b] ;; esac)]"),
        ("$(a # it's )\n)", "[$([a])]"),
        ("echo ${{ github.sha }}-x", "[echo ${?{ github.sha }?}-x]"),
        (
            "echo $FOO\u{F0001}x ${B\u{F0001}}",
            "[echo ${FOO}\u{F0001}x ${B\u{F0001}}]",
        ),
    ]);
}

#[test]
fn redirections_are_not_arguments() {
    check(&[
        ("a >b 2>&1 <c >>d", "[a] >b 2>&1 <c >>d"),
        (
            "a &>b &>>c >|d <>e 2>&- <&3",
            "[a] &>b &>>c >|d <>e 2>&- <&3",
        ),
        (">f a b2>c 12>d", "[a b2] >f >c 12>d"),
        ("exec {fd}>log", "[exec] {fd}>log"),
        (
            "docker login --password-stdin <<< \"$P\"",
            "[docker login --password-stdin] <<<\"${P}\"",
        ),
        (": > x", "[:] >x"),
    ]);
}

#[test]
fn heredoc_body_is_not_commands() {
    check(&[
        (
            "cat <<EOF\ndocker pull x\nEOF\nnext",
            "[cat] <<EOF<docker pull x/>; [next]",
        ),
        (
            "cat <<EOF | docker load\n$a `b` \\$c\nEOF",
            "[cat] <<EOF<${a} `[b]` $c/> | [docker load]",
        ),
        ("cat <<'EOF' >f\n$a\nEOF\n", "[cat] <<'EOF'<$a/> >f"),
        ("cat <<\\EOF\n$a\nEOF\n", "[cat] <<'EOF'<$a/>"),
        ("cat <<\"E F\"\n$a\nE F\n", "[cat] <<'E F'<$a/>"),
        (
            "cat <<-EOF\n\ta\n\t\t$b\n\tEOF\nnext",
            "[cat] <<-EOF<a/${b}/>; [next]",
        ),
        (
            "cat <<-'EOF'\n\ta\n\tEOF\nnext",
            "[cat] <<-'EOF'<a/>; [next]",
        ),
        ("a <<X b <<Y\n1\nX\n2\nY\nc", "[a b] <<X<1/> <<Y<2/>; [c]"),
        (
            "a <<X && b <<Y\n1\nX\n2\nY\nc",
            "[a] <<X<1/> && [b] <<Y<2/>; [c]",
        ),
        (
            "x=$(cat <<EOF\nhi $(d)\nEOF\n)\nnext",
            "[x:=$([cat] <<EOF<hi $([d])/>)]; [next]",
        ),
        (
            "x=$(cat <<EOF\nhi\nEOF)\nnext",
            "[x:=$([cat] <<EOF<hi/>)]; [next]",
        ),
        (
            "cat <<EOF\r\na\r\nEOF\r\nnext\r\n",
            "[cat] <<EOF<a/>; [next]",
        ),
        (
            "cat <<EOF\nit's \"x\nEOF\nnext",
            "[cat] <<EOF<it's \"x/>; [next]",
        ),
        (
            "cat <<EOF \"a\nb\"\nbody\nEOF\nnext",
            "[cat \"a\nb\"] <<EOF<body/>; [next]",
        ),
        (
            "if a; then cat <<E\nx\nE\nfi",
            "if [a] then [cat] <<E<x/> fi",
        ),
        (
            "cat <<A\n$(cat <<B\nin\nB\n)\nA\nnext",
            "[cat] <<A<$([cat] <<B<in/>)/>; [next]",
        ),
        ("ssh h <<EOF\nEOF\nnext", "[ssh h] <<EOF<>; [next]"),
        ("`cat <<E\nx\nE\n`; next", "[`[cat] <<E<x/>`]; [next]"),
        (
            "a `cat <<E\n\\`x\\`\nE\n` <<F\ny\nF\nnext",
            "[a `[cat] <<E<`[x]`/>`] <<F<y/>; [next]",
        ),
        (
            "cat <<EOF\na\n",
            "[cat] <<EOF<a/...> !! unterminated here-document",
        ),
        (
            "cat <<EOF\na\n EOF\nb",
            "[cat] <<EOF<a/ EOF/b...> !! unterminated here-document",
        ),
    ]);
}

#[test]
fn an_error_costs_only_its_own_token() {
    check(&[
        ("a\nfi\nb", "[a]; [b] !! nothing to close here"),
        (
            "a; } ; done ) b",
            "[a]; [b] !! nothing to close here, unexpected operator, nothing to close here, nothing to close here",
        ),
        ("a &&", "[a] !! nothing after the operator"),
        ("a | ; b", "[a]; [b] !! nothing after the operator"),
        ("&& a", "[a] !! unexpected operator"),
        (
            "for i in 1 2; do docker pull x",
            "for i in 1 2 do [docker pull x] done !! missing done",
        ),
        (
            "if a; then\nwhile b; do c\nfi\nd",
            "if [a] then while [b] do [c] done fi; [d] !! missing done",
        ),
        (
            "if a\nb\nfi\nc",
            "if [a]; [b] then  fi; [c] !! missing then",
        ),
        ("f() { a\n", "f() { [a] } !! missing }"),
        (
            "{% if x %}\ndocker login\n{% endif %}",
            "[{% if x %}]; [docker login]; [{% endif %}]",
        ),
        (
            "{% if (x) %}\na",
            "[{% if]; ( [x] ); [%}]; [a] !! expected a separator, expected a separator",
        ),
        ("{{ image }}; a {{ b }}", "[{{ image }}]; [a {{ b }}]"),
        (
            "echo \"it\ndocker login",
            "[echo OPAQUE<\"it>]; [docker login] !! unterminated double quote",
        ),
        (
            "echo don't\ndocker login",
            "[echo donOPAQUE<'t>]; [docker login] !! unterminated single quote",
        ),
        (
            "echo `a\nb",
            "[echo OPAQUE<`a>]; [b] !! unterminated backtick",
        ),
        ("echo ${a\nb", "[echo OPAQUE<${a>]; [b] !! unterminated ${"),
        (
            "echo \"${a\"\nb \"c\"",
            "[echo \"OPAQUE<${a>\"]; [b \"c\"] !! unterminated ${",
        ),
        ("x=(a b\nc", "[x:=(a b)]; [c] !! unterminated array"),
        ("x=$(a\nb", "[x:=$([a]; [b])] !! unterminated parenthesis"),
        ("(a\nb", "( [a]; [b] ) !! unterminated parenthesis"),
        ("[[ -n x\na", "[[ -n x ]]; [a] !! missing ]]"),
        (
            "case x in\n{% if a %}\n a) b ;;\n{% endif %}\nesac\nc",
            "case x in ) [{% if a %}] ;; a) [b] ;; ) [{% endif %}] ;; esac; [c] !! expected a pattern, expected a pattern",
        ),
        (
            "if q; then case x in\n a) b ;;\nfi\nc",
            "if [q] then case x in a) [b] ;; esac fi; [c] !! missing esac",
        ),
        ("echo (a)", "[echo]; ( [a] ) !! expected a separator"),
        (
            "if a; then b; else c; else d; fi; e",
            "if [a] then [b] else [c]; [d] fi; [e] !! repeated keyword",
        ),
        ("a >\nb", "[a] >; [b] !! missing redirection target"),
        (
            "$(if a) b",
            "[$(if [a] then  fi) b] !! missing then, missing fi",
        ),
    ]);
}

fn first_word(text: &str, at: usize) -> Word {
    match &parse(text).items[0].first.commands[0].kind {
        CommandKind::Simple { words, .. } => words[at].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn literal_is_none_as_soon_as_something_varies() {
    for (text, want) in [
        ("docker", Some("docker")),
        ("do'ck'\"er\"", Some("docker")),
        ("\\docker", Some("docker")),
        ("$'a\\tb'", Some("a\tb")),
        ("\"\"", Some("")),
        ("\"a$b\"", None),
        ("$(x)", None),
        ("a*", None),
        ("[", Some("[")),
        ("~/x", None),
    ] {
        assert_eq!(first_word(text, 0).literal().as_deref(), want, "{text}");
    }
    let url = first_word("curl https://x/y?z=1", 1);
    assert_eq!(url.literal(), None);
    assert_eq!(url.literal_or_glob().as_deref(), Some("https://x/y?z=1"));
}

#[test]
fn quoting_is_noticed() {
    for (text, want) in [
        ("a", false),
        ("$a", false),
        ("\\a", true),
        ("a'b'", true),
        ("\"$a\"", true),
    ] {
        assert_eq!(first_word(text, 0).is_quoted(), want, "{text}");
    }
}

#[test]
fn source_is_the_text_as_written() {
    let text = "echo  \"a $(b)\"x  'é'";
    assert_eq!(first_word(text, 1).source(text), "\"a $(b)\"x");
    assert_eq!(first_word(text, 2).source(text), "'é'");
}

#[test]
fn spans_inside_escaped_backticks_point_into_the_original() {
    let text = "x `a \\`docker \\$y\\` z`";
    let outer = first_word(text, 1);
    let PartKind::Command { list, .. } = &outer.parts[0].kind else {
        panic!()
    };
    let CommandKind::Simple { words, .. } = &list.items[0].first.commands[0].kind else {
        panic!()
    };
    assert_eq!(words[0].source(text), "a");
    let PartKind::Command { list, .. } = &words[1].parts[0].kind else {
        panic!()
    };
    let CommandKind::Simple { words: inner, .. } = &list.items[0].first.commands[0].kind else {
        panic!()
    };
    assert_eq!(inner[0].source(text), "docker");
    assert_eq!(words[2].source(text), "z");
}

#[test]
fn declared_assignments_can_be_split() {
    let word = first_word("export A+=\"$B\"c", 1);
    let (name, value) = word.assignment().unwrap();
    assert_eq!(name, "A");
    assert_eq!(parts(&value), "\"${B}\"c");
    let word = first_word("env IMAGE=alpine:$v x", 1);
    let (name, value) = word.assignment().unwrap();
    assert_eq!((name, parts(&value).as_str()), ("IMAGE", "alpine:${v}"));
    assert!(first_word("env a-b=c", 1).assignment().is_none());
    assert!(matches!(
        first_word("local a=(x y)", 1).parts.as_slice(),
        [Part { kind: PartKind::Literal(l), .. }, Part { kind: PartKind::Array(w), .. }]
            if l == "a=" && w.len() == 2
    ));
}

#[test]
fn heredoc_body_span_covers_its_lines() {
    let text = "cat <<EOF\na $x\nb\nEOF\n";
    let script = parse(text);
    let RedirectTarget::HereDoc(doc) = &script.items[0].first.commands[0].redirects[0].target
    else {
        panic!()
    };
    assert_eq!(doc.body_span.of(text), "a $x\nb\n");
    assert_eq!(doc.literal(), None);
}

#[test]
fn braces_expand_like_in_bash() {
    for (text, want) in [
        ("a", "a"),
        ("{a,b}", "a b"),
        ("x{a,b}y", "xay xby"),
        ("{1..3}", "1 2 3"),
        ("{3..1}", "3 2 1"),
        ("{01..3}", "01 02 03"),
        ("{a..e..2}", "a c e"),
        ("{a,b{c,d}}", "a bc bd"),
        ("{a,b}{1,2}", "a1 a2 b1 b2"),
        ("{a}", "{a}"),
        ("{}", "{}"),
        ("{a,}x", "ax x"),
        ("\\{a,b}", "\\{a,b}"),
        ("'{a,b}'", "'{a,b}'"),
        ("{$a,b}", "${a} b"),
        ("{{a,b}", "{a {b"),
        ("{1..1000}", "{1..1000}"),
        ("{1..9}{1..9}{1..9}", "{1..9}{1..9}{1..9}"),
    ] {
        let word = first_word(text, 0);
        let expanded = expand_braces(&word).unwrap_or_else(|| vec![word]);
        assert_eq!(words(&expanded), want, "{text}");
    }
}
