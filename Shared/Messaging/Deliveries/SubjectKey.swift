/// The subject of one source: what order is kept by.
struct SubjectKey: Hashable, Sendable {
    let source: String
    let subject: String
    /// Whether there is no order to keep: an event from outside without a subject, or a message that cannot be read.
    var isNone: Bool { subject.isEmpty }
    /// Taken once: one delivery looks its subject up many times.
    private let hash: Int

    init(source: String, subject: String) {
        self.source = source
        self.subject = subject
        var hasher = Hasher()
        hasher.combine(source)
        hasher.combine(subject)
        hash = hasher.finalize()
    }

    static func == (left: SubjectKey, right: SubjectKey) -> Bool {
        left.hash == right.hash && left.subject == right.subject && left.source == right.source
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(hash)
    }
}
