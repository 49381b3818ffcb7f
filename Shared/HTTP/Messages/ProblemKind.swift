/// A kind of problem: one fault, which has one type, one status and one title wherever it is answered.
///
/// Problems are made of kinds, and a program has a page for each kind that it answers: see `ProblemCatalogue`.
public struct ProblemKind: Sendable, Hashable {
    /// The stable name, `invalid-request`.
    public let slug: String
    /// The status code, 400 to 599.
    public let status: Int
    /// The kind in a few words; the same for every problem of it.
    public let title: String
    /// What has happened, for somebody who met it and knows nothing of the program's inside.
    public let meaning: String
    /// What to do about it.
    public let mend: String

    /// Names a kind.
    ///
    /// - Precondition: the slug has letters a to z, digits and hyphens alone, and the status is one of an error.
    public init(_ slug: String, status: Int, title: String, meaning: String, mend: String) {
        precondition(
            !slug.isEmpty
                && slug.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D },
            "The slug \(slug) may have letters a to z, digits and hyphens alone."
        )
        precondition((400...599).contains(status), "The status of \(slug) must be one of an error.")
        self.slug = slug
        self.status = status
        self.title = title
        self.meaning = meaning
        self.mend = mend
    }

    /// The `type` of its problems: the path of its page on the address that answered.
    public var path: String { "/problems/\(slug)" }
}
