/// The kinds of problems that a program can answer, by their slugs.
public struct ProblemCatalogue: Sendable {
    /// Two kinds with one slug.
    public struct Conflict: Error, CustomStringConvertible {
        /// The slug of both.
        public let slug: String

        /// Names the slug.
        public var description: String { "there are two kinds of problems with the slug \(slug)" }
    }

    /// All kinds in the order of their slugs.
    public let kinds: [ProblemKind]
    private let bySlug: [String: ProblemKind]

    /// Collects kinds; one that is given several times is there once.
    ///
    /// - Throws: `Conflict` where two that differ have one slug.
    public init(_ kinds: [ProblemKind]) throws(Conflict) {
        var bySlug: [String: ProblemKind] = [:]
        for kind in kinds {
            guard (bySlug[kind.slug] ?? kind) == kind else { throw Conflict(slug: kind.slug) }
            bySlug[kind.slug] = kind
        }
        self.bySlug = bySlug
        self.kinds = bySlug.values.sorted { $0.slug < $1.slug }
    }

    /// The kind with that slug.
    public subscript(slug: String) -> ProblemKind? { bySlug[slug] }
}
