/// The words on the command line cannot be understood; ends with exit code 2.
struct UsageError: Error, Equatable {
    /// What is wrong.
    let message: String
    /// What to write instead.
    var mend: String?
    /// The command that was meant, `["warren", "order"]`; its help is pointed at.
    ///
    /// Empty where it is not known yet.
    var path: [String] = []

    /// The same error, with the command where it has none.
    func at(_ path: [String]) -> UsageError {
        var error = self
        if error.path.isEmpty { error.path = path }
        return error
    }
}
