/// Finds variables that look like settings of the kit and are none: most likely typing errors.
enum UnknownVariables {
    struct Finding: Equatable {
        let name: String
        /// The setting that was probably meant.
        let similar: String?
    }

    /// The `WARREN_…` variables of an environment that no declaration knows, in order of their names.
    static func find(in environment: [String: String], declared: [SettingDeclaration]) -> [Finding] {
        let known = Set(declared.flatMap { [$0.name, $0.fileName] })
        return environment.keys.filter { $0.hasPrefix("WARREN_") && !known.contains($0) }.sorted().map { name in
            let nearest = known.map { (name: $0, distance: distance(Array($0.utf8), Array(name.utf8))) }
                .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
            let isNear = nearest.map { $0.distance <= 3 } ?? false
            return Finding(name: name, similar: isNear ? nearest?.name : nil)
        }
    }

    /// How many insertions, removals and replacements lead from one text to the other (Levenshtein).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        guard abs(left.count - right.count) <= 3 else { return Int.max }
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in right.enumerated() {
                let replaced = diagonal + (byte == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, row[column] + 1, row[column + 1] + 1)
            }
        }
        return row[right.count]
    }
}
