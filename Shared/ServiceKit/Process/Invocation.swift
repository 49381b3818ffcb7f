/// What the command line of a service asks for.
enum Invocation: Equatable {
    case run
    case help
    case version
    /// An argument that is none of ours.
    case mistake(String)

    /// - Parameter arguments: without the program's name.
    init(arguments: [String]) {
        if let mistake = arguments.first(where: { !["--help", "-h", "--version"].contains($0) }) {
            self = .mistake(mistake)
        } else if arguments.contains(where: { $0 != "--version" }) {
            self = .help
        } else {
            self = arguments.isEmpty ? .run : .version
        }
    }
}
