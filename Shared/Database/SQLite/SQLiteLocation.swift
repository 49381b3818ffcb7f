/// Where a SQLite database lies: the path out of a `sqlite:` URL.
struct SQLiteLocation: Sendable, Equatable {
    /// The path as it was given, relative or absolute.
    let path: String

    /// A path that is already known.
    init(path: String) {
        self.path = path
    }

    /// Reads `sqlite:relative.db`, `sqlite:/absolute.db` or `sqlite:///absolute.db`.
    ///
    /// - Throws: `.invalidURL`. The reason never shows the URL, which may hold a password where another engine was meant.
    init(_ url: String) throws(DatabaseError) {
        let scheme = "sqlite:"
        guard url.hasPrefix(scheme) else {
            let given = url.firstIndex(of: ":").map { "\"\(url[..<$0])\"" } ?? "none"
            throw Self.invalid("its scheme must be \"sqlite\" and is \(given)")
        }
        var path = String(url.dropFirst(scheme.count))
        if path.hasPrefix("//") {
            path.removeFirst(2)
            guard path.hasPrefix("/") else {
                throw Self.invalid("a host makes no sense, write sqlite:/absolute.db or sqlite:relative.db")
            }
        }
        guard !path.isEmpty, !path.hasSuffix("/") else { throw Self.invalid("it names no file") }
        guard !path.hasPrefix(":memory:") else {
            throw Self.invalid("a database in memory cannot keep what it acknowledges, name a file")
        }
        guard !path.contains("?"), !path.contains("#"), !path.utf8.contains(0) else {
            throw Self.invalid("\"?\", \"#\" and NUL cannot be part of the path, and there are no options")
        }
        self.path = path
    }

    private static func invalid(_ reason: String) -> DatabaseError {
        DatabaseError(code: .invalidURL, reason: "the database URL is not usable: \(reason)")
    }
}
