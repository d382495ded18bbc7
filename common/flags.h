// How every program of the bank reads its flags: command line > environment > config file.
//
// An option --some-flag is also the environment variable BANK_SOME_FLAG and the key `some-flag` of
// a config file (--config FILE, TOML or INI; a subcommand's options in a section of its name).
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace bank {

// Call when all options are added. Adds --version and --config, gives every option its environment
// variable, and parses. A value: leave main() with this exit code; help, version or one line about
// the error have been printed.
std::optional<int> ParseFlags(CLI::App& app, int argc, const char* const* argv);

}  // namespace bank
