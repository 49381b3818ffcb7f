import Foundation

/// What the Swift files of folders say of kinds of problems: those that are named, and those that problems are made of.
public struct ProblemSources: Sendable {
    /// The slugs of `static let name = ProblemKind("slug", …)`, by their names.
    public private(set) var declared: [String: String] = [:]
    /// The names in `Problem(.name, …)`.
    public private(set) var used: Set<String> = []
    /// Files that make kinds in any other way.
    public private(set) var others: [String] = []

    /// Reads all Swift files of folders of this repository, by their paths from the root.
    public static func read(_ folders: String...) throws -> ProblemSources {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var result = ProblemSources()
        for folder in folders {
            let files = FileManager.default.enumerator(
                at: root.appending(path: folder).resolvingSymlinksInPath(),
                includingPropertiesForKeys: nil
            )
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift" else { continue }
                result.add(try String(contentsOf: file, encoding: .utf8), of: file.lastPathComponent)
            }
        }
        return result
    }

    private mutating func add(_ text: String, of file: String) {
        let declarations = text.matches(of: /static let (\w+)(?:: ProblemKind)? = ProblemKind\(\s*"([a-z0-9-]+)"/)
        for match in declarations { declared[String(match.1)] = String(match.2) }
        if text.matches(of: /[^\w]ProblemKind\(/).count != declarations.count { others.append(file) }
        for match in text.matches(of: /Problem\(\s*\.(\w+)/) { used.insert(String(match.1)) }
    }
}
