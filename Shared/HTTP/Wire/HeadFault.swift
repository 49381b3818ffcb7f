/// Why a request cannot be read: what the client is told, after which its connection ends.
///
/// Two readers of the same bytes (a proxy and this server) must never see different requests in them. Wherever they might, this
/// one does not guess.
struct HeadFault: Error, Equatable {
    let problem: Problem

    init(_ problem: Problem) { self.problem = problem }

    /// 400, with the reason as a sentence.
    init(_ reason: String) { problem = .malformedRequest(reason) }
}
