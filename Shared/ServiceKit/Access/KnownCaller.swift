public import HTTP

extension HTTPRequest {
    /// Who sends it.
    ///
    /// - Throws: a `Problem` (401) where nobody has made sure of it: such a request gets nothing.
    public var knownCaller: Caller {
        get throws {
            guard let caller else { throw Problem(.unauthorized, detail: "Nobody has made sure of who sends this.") }
            return caller
        }
    }
}
