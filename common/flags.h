// How every program of the bank reads its flags: command line > environment > config file.
//
// An option --some-flag is also the environment variable BANK_SOME_FLAG and the key `some-flag` of
// a config file (--config FILE, TOML or INI; a subcommand's options in a section of its name). What
// belongs to one call alone is neither: an id, a session, an amount or an account that lies about
// in the environment would move money, or repeat an old answer, unseen.
//
// Numbers are read by common/decimal.h, at all three places. No flag takes a number below zero.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace bank {

// Marks an option as one that only the command line may give. Returns it.
CLI::Option* OfOneCall(CLI::Option* option);

// Call when all options are added. Adds --version and --config, gives every option its environment
// variable, and parses. A value: leave main() with this exit code; help, version or one line about
// the error have been printed.
std::optional<int> ParseFlags(CLI::App& app, int argc, const char* const* argv);

}  // namespace bank
