/// Checked settings.
public struct Settings: Sendable {
    private let values: [String: any Sendable]
    /// Of the settings whose value stands in a file: how to read it again.
    private let readers: [String: @Sendable () throws -> any Sendable]
    /// The variables that were given, without their values.
    let given: [String]

    /// The value of a setting that the service declared.
    ///
    /// Asking for one that was not declared is a mistake in the program and stops it.
    public subscript<Value>(setting: Setting<Value>) -> Value {
        guard let value = values[setting.declaration.name] as? SettingValue<Value> else {
            preconditionFailure("the setting \(setting.declaration.name) is not declared by this service")
        }
        return value.value
    }

    /// Where a setting's value stands in a file (`NAME_FILE`): reads that file again, as secrets are rotated; otherwise nil.
    ///
    /// What is returned throws a `SettingFault` when the file cannot be read or its value is not valid (any more).
    func reader<Value: Sendable>(of setting: Setting<Value>) -> (@Sendable () throws -> Value)? {
        guard let reader = readers[setting.declaration.name] else { return nil }
        let present = self[setting]
        return { try (reader() as? SettingValue<Value>)?.value ?? present }
    }

    /// Reads settings from an environment.
    ///
    /// - Throws: `SettingFaults` with everything that is wrong, not only the first of it.
    static func read(
        _ declarations: [SettingDeclaration],
        from environment: [String: String],
        readFile: @escaping @Sendable (String) throws(SettingFile.Failure) -> String = {
            path throws(SettingFile.Failure) in
            try SettingFile.read(path)
        }
    ) throws(SettingFaults) -> Settings {
        var values: [String: any Sendable] = [:]
        var readers: [String: @Sendable () throws -> any Sendable] = [:]
        var given: [String] = []
        var faults: [SettingFault] = []
        for declaration in declarations where values[declaration.name] == nil {
            do throws(SettingFault) {
                let source = try declaration.source(in: environment, readFile: readFile)
                if source.isGiven { given.append(source.variable) }
                values[declaration.name] = try declaration.value(of: source)
                if source.variable == declaration.fileName {
                    readers[declaration.name] = {
                        try declaration.value(of: declaration.source(in: environment, readFile: readFile))
                    }
                }
            } catch {
                faults.append(error)
            }
        }
        guard faults.isEmpty else { throw SettingFaults(faults: faults) }
        return Settings(values: values, readers: readers, given: given)
    }
}

/// Everything that is wrong with the settings.
struct SettingFaults: Error, Equatable {
    let faults: [SettingFault]
}

extension SettingDeclaration {
    /// Where a setting's text comes from.
    struct Source {
        let text: String
        let variable: String
        let isGiven: Bool
    }

    /// The text to parse: of the variable, of the file that `NAME_FILE` names, or the default.
    func source(
        in environment: [String: String],
        readFile: (String) throws(SettingFile.Failure) -> String
    ) throws(SettingFault) -> Source {
        let direct = environment[name].flatMap { $0.isEmpty ? nil : $0 }
        let path = environment[fileName].flatMap { $0.isEmpty ? nil : $0 }
        switch (direct, path) {
        case (.some, .some):
            throw SettingFault(
                variable: name,
                wrong: "\(name) and \(fileName) are both set",
                expected: "one of the two",
                mend: "unset one of them"
            )
        case (.some(let text), nil):
            return Source(text: text, variable: name, isGiven: true)
        case (nil, .some(let path)):
            let text: String
            do {
                text = try readFile(path)
            } catch {
                throw SettingFault(
                    variable: fileName,
                    wrong: "\(ShownValue.text(path)) cannot be read: \(error.reason)",
                    expected: "a readable file that holds \(expected)",
                    mend: "correct the path or the file's permissions"
                )
            }
            guard !text.isEmpty else {
                throw SettingFault(
                    variable: fileName,
                    wrong: "the file \(ShownValue.text(path)) is empty",
                    expected: "a file that holds \(expected)",
                    mend: "write the value into the file"
                )
            }
            return Source(text: text, variable: fileName, isGiven: true)
        case (nil, nil):
            guard let defaultText else {
                throw SettingFault(
                    variable: name,
                    wrong: "it is not set",
                    expected: expected,
                    mend: "set \(name), or \(fileName) to the path of a file that holds the value"
                )
            }
            return Source(text: defaultText, variable: name, isGiven: false)
        }
    }

    func value(of source: Source) throws(SettingFault) -> any Sendable {
        if let value = parse(source.text) { return value }
        let shown = display.text(of: source.text)
        let place = source.variable == fileName ? " in the file" : source.isGiven ? "" : ", the default,"
        var mend = "correct it"
        if source.isGiven, let defaultText {
            mend += ", or unset it for the default"
            if display != .secret && defaultNote == nil { mend += " \(defaultText)" }
        }
        throw SettingFault(
            variable: source.variable,
            wrong: "\(shown)\(place) is not valid",
            expected: expected,
            mend: mend
        )
    }
}
