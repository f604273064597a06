//! Is the vector code inlined? An instruction that stands in a function of its own, because a
//! closure around it wasn't inlined, makes a loop some 30 times as slow and changes no result.

use std::path::Path;
use std::process::Command;

/// Checks the release build, which has to be there; returns whether `nm` could list its symbols.
pub fn run(root: &Path) -> Result<bool, String> {
    let program = root.join("target/release/downhill");
    let Ok(listed) = Command::new("nm").arg("-C").arg(&program).output() else {
        return Ok(false);
    };
    if !listed.status.success() {
        return Ok(false);
    }
    let symbols = String::from_utf8_lossy(&listed.stdout);
    let found = not_inlined(&symbols);
    match found.is_empty() {
        true => Ok(true),
        false => Err(format!(
            "{} has functions of a single vector instruction: {}; their callers lost the \
             instruction set, look for closures in what `lanes!` compiles",
            program.display(),
            found.join(", ")
        )),
    }
}

/// Names of vector instructions on f32 numbers among the symbols.
fn not_inlined(symbols: &str) -> Vec<&str> {
    let names = symbols.lines().filter_map(|line| line.rsplit("::").next());
    let vector = |name: &&str| {
        (name.starts_with("_mm256_") || name.starts_with("_mm512_")) && name.ends_with("_ps")
    };
    names.filter(vector).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_with_functions_of_their_own_are_found() {
        let symbols = "00 t core::core_arch::x86::avx::_mm256_add_ps\n\
                       10 t core::core_arch::x86::avx::_mm256_set1_epi8\n\
                       20 t engine::cpu::lanes::total::avx512\n\
                       30 t core::core_arch::x86::avx512f::_mm512_fmadd_ps\n";
        assert_eq!(not_inlined(symbols), ["_mm256_add_ps", "_mm512_fmadd_ps"]);
    }
}
