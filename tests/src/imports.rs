//! Reads the imports between the files of a crate from its source.
//!
//! An import through a re-export counts as an import of the file that defines the name. Test modules are
//! ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// The path of a module or an item from the root of its crate.
type Name = Vec<String>;

/// One module: a file, or an inline module in a file.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    items: BTreeSet<String>,
    /// The names that the module re-exports, with their targets.
    reexports: BTreeMap<String, Name>,
    /// The modules that it re-exports with a glob.
    globs: Vec<Name>,
    /// The paths that it imports or names.
    mentioned: BTreeSet<Name>,
}

/// The imports of one crate: the imported files of each file.
pub type Imports = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// Reads the imports of the crate with the given root file (`main.rs` or `lib.rs`).
#[must_use]
pub fn imports(root: &Path) -> Imports {
    let mut modules = BTreeMap::new();
    read_file(root, root.parent().unwrap_or(root), &Vec::new(), &mut modules);
    let mut imports = Imports::new();
    for module in modules.values() {
        let of_file = imports.entry(module.file.clone()).or_default();
        of_file.extend(
            module
                .mentioned
                .iter()
                .filter_map(|name| defining_file(&modules, name, 0))
                .filter(|file| *file != module.file),
        );
    }
    imports
}

/// Returns the imports that are part of a cycle: the imported file leads back to the importing one.
#[must_use]
pub fn cycles(imports: &Imports) -> Imports {
    let reached: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        imports.keys().map(|file| (file, reached_from(imports, file))).collect();
    let leads_back =
        |file: &PathBuf, imported: &PathBuf| reached.get(imported).is_some_and(|reached| reached.contains(file));
    let cyclic = imports.iter().map(|(file, of_file)| {
        let back: BTreeSet<PathBuf> = of_file.iter().filter(|imported| leads_back(file, imported)).cloned().collect();
        (file.clone(), back)
    });
    cyclic.filter(|(_, back)| !back.is_empty()).collect()
}

/// Returns the imports that go up: the imported file is in a later layer than the importing one. A layer is a
/// file or a folder, relative to `folder`, and may import itself and the layers before it.
///
/// # Errors
/// If a file is in no layer, or a layer has no file. The error names it.
pub fn upward(imports: &Imports, folder: &Path, layers: &[&str]) -> Result<Imports, String> {
    let layer_of = |file: &Path| {
        let inside = file.strip_prefix(folder).unwrap_or(file);
        let of_file = (0..layers.len()).filter(|layer| inside.starts_with(layers[*layer]));
        // A file that is a layer of its own is not in the layer of its folder.
        of_file.max_by_key(|layer| layers[*layer].len()).ok_or_else(|| format!("{} is in no layer", inside.display()))
    };
    let (mut upward, mut used) = (Imports::new(), BTreeSet::new());
    for (file, of_file) in imports {
        let own = layer_of(file)?;
        used.insert(own);
        for imported in of_file {
            if layer_of(imported)? > own {
                upward.entry(file.clone()).or_default().insert(imported.clone());
            }
        }
    }
    match (0..layers.len()).find(|layer| !used.contains(layer)) {
        Some(unused) => Err(format!("{} has no file", layers[unused])),
        None => Ok(upward),
    }
}

/// The files that a file imports, directly or indirectly.
fn reached_from<'a>(imports: &'a Imports, file: &'a PathBuf) -> BTreeSet<&'a PathBuf> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        next.extend(imports.get(file).into_iter().flatten().filter(|imported| reached.insert(*imported)));
    }
    reached
}

fn read_file(file: &Path, children: &Path, name: &Name, modules: &mut BTreeMap<Name, Module>) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read_items(file, children, name, &parsed.items, modules);
}

fn read_items(file: &Path, children: &Path, name: &Name, items: &[Item], modules: &mut BTreeMap<Name, Module>) {
    let own: BTreeSet<String> = items.iter().filter_map(child_module).collect();
    let mut module =
        Module { file: file.to_owned(), items: items.iter().filter_map(defined).collect(), ..Module::default() };
    for item in items {
        match item {
            Item::Mod(child) if is_test(&child.attrs) => {}
            Item::Mod(child) => read_module(file, children, name, child, modules),
            Item::Use(import) => read_use(import, name, &own, &mut module),
            item => Reader { name, mentioned: &mut module.mentioned }.visit_item(item),
        }
    }
    modules.insert(name.clone(), module);
}

fn read_module(file: &Path, children: &Path, name: &Name, child: &ItemMod, modules: &mut BTreeMap<Name, Module>) {
    let ident = child.ident.to_string();
    let (child_name, folder) = (joined(name, &ident), children.join(&ident));
    if let Some((_, items)) = &child.content {
        return read_items(file, &folder, &child_name, items, modules);
    }
    let flat = children.join(format!("{ident}.rs"));
    let child_file = if flat.exists() { flat } else { folder.join("mod.rs") };
    read_file(&child_file, &folder, &child_name, modules);
}

fn read_use(import: &ItemUse, name: &Name, own: &BTreeSet<String>, module: &mut Module) {
    let mut leaves = Vec::new();
    flatten(&import.tree, &Vec::new(), &mut leaves);
    for (path, local) in leaves {
        let Some(target) = absolute(name, own, &path) else { continue };
        match (&import.vis, local) {
            (Visibility::Inherited, _) => {
                module.mentioned.insert(target);
            }
            (_, Some(local)) => {
                module.reexports.insert(local, target);
            }
            (_, None) => module.globs.push(target),
        }
    }
}

/// Lists the paths of a `use` with their local names; `None` for a glob.
fn flatten(tree: &UseTree, before: &Name, leaves: &mut Vec<(Name, Option<String>)>) {
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &joined(before, &path.ident.to_string()), leaves),
        UseTree::Name(name) if name.ident == "self" => leaves.push((before.clone(), before.last().cloned())),
        UseTree::Name(name) => leaves.push((joined(before, &name.ident.to_string()), Some(name.ident.to_string()))),
        UseTree::Rename(name) => leaves.push((joined(before, &name.ident.to_string()), Some(name.rename.to_string()))),
        UseTree::Glob(_) => leaves.push((before.clone(), None)),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, leaves)),
    }
}

/// Makes a path relative to the root of the crate. `None` if it leads to another crate or to a local name.
fn absolute(module: &Name, own: &BTreeSet<String>, path: &[String]) -> Option<Name> {
    let (mut base, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => (module.clone(), path),
        first if own.contains(first) => (module.clone(), path),
        _ => return None,
    };
    while rest.first().is_some_and(|segment| segment == "super") {
        base.pop()?;
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}

/// The file that defines the item of a path.
fn defining_file(modules: &BTreeMap<Name, Module>, name: &Name, hops: usize) -> Option<PathBuf> {
    let (module, rest) =
        (0..=name.len()).rev().find_map(|length| Some((modules.get(&name[..length])?, &name[length..])))?;
    let Some(first) = rest.first().filter(|first| hops < 8 && !module.items.contains(*first)) else {
        return Some(module.file.clone());
    };
    let through = |target: &Name| defining_file(modules, &target.iter().chain(&rest[1..]).cloned().collect(), hops + 1);
    let glob = || module.globs.iter().find_map(|glob| modules.get(glob).filter(|module| module.items.contains(first)));
    match module.reexports.get(first) {
        Some(target) => through(target),
        None => Some(glob().unwrap_or(module).file.clone()),
    }
}

/// Collects the paths in code that lead out of the module. Paths to child modules do not count, because a
/// module may call its children by path, as a route table does.
struct Reader<'a> {
    name: &'a Name,
    mentioned: &'a mut BTreeSet<Name>,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Name = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.mentioned.extend(absolute(self.name, &BTreeSet::new(), &segments));
        }
        visit::visit_path(self, path);
    }

    /// `pub(in crate::a)` names a module, but imports nothing from it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn child_module(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if !is_test(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    }
}

fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

fn joined(name: &Name, segment: &str) -> Name {
    name.iter().cloned().chain([segment.to_owned()]).collect()
}
