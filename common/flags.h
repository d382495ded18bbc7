// How every program of the bank reads its flags: command line > environment > config file.
//
// A flag --some-flag is also the environment variable BANK_SOME_FLAG and the key `some-flag` of a
// config file (--config FILE, TOML or INI; a command's flags in a section of its name). What
// belongs to one call alone is neither: an id, a session, an amount or an account that lies about
// in the environment would move money, or repeat an old answer, unseen.
//
// Numbers are read by common/decimal.h, at all three places. No flag takes a number below zero.
//
// The parser's own header is large: only common/flags.cc includes it. Threads: one.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace bank {

// A flag of a set, to say more about it. Valid as long as its set.
class Flag {
 public:
  explicit Flag(CLI::Option* option = nullptr) : option_(option) {}

  Flag Required();
  template <class Number>
  Flag Between(Number least, Number most) {  // both included
    if constexpr (std::floating_point<Number>) {
      return BetweenFractions(least, most);
    } else if constexpr (std::unsigned_integral<Number>) {
      return BetweenNaturals(least, most);
    } else {
      return BetweenIntegers(least, most);
    }
  }
  Flag Positive();
  Flag NotNegative();
  Flag OneOf(std::vector<std::string> values);
  // `fault` returns what is wrong with a value, or nothing.
  Flag Check(std::function<std::string(const std::string& value)> fault);
  Flag SplitAt(char delimiter);
  Flag OneValueEach();  // of a flag that may be repeated: the word after its value is not another
  Flag ExactlyValues(int count);
  Flag Excludes(Flag other);
  Flag Needs(Flag other);
  Flag OfOneCall();  // only the command line may give it; so is what is given by its place

  Flag ShowDefault();  // in --help: what the variable holds now
  Flag ShowDefault(const std::string& text);
  Flag ShowType(const std::string& name);
  Flag Group(const std::string& heading);  // of --help; empty: in no help
  Flag Variable(const std::string& name);  // of the environment, instead of the one of its name

  bool given() const;        // after parsing: at any of the three places
  std::string name() const;  // as in messages: --output

 private:
  Flag BetweenIntegers(int64_t least, int64_t most);
  Flag BetweenNaturals(uint64_t least, uint64_t most);
  Flag BetweenFractions(double least, double most);
  Flag Checked(CLI::Validator validator);

  CLI::Option* option_;
};

// The flags of a program, or of one of its commands. `names` are "-o,--output", or a word for what
// is given by its place. The variables must outlive the parsing.
class FlagSet {
 public:
  FlagSet(const std::string& about, const std::string& program);
  ~FlagSet();
  FlagSet(const FlagSet&) = delete;
  FlagSet& operator=(const FlagSet&) = delete;

  Flag Add(const std::string& names, std::string& value, const std::string& about);
  Flag Add(const std::string& names, int& value, const std::string& about);
  Flag Add(const std::string& names, int64_t& value, const std::string& about);
  Flag Add(const std::string& names, uint32_t& value, const std::string& about);
  Flag Add(const std::string& names, uint64_t& value, const std::string& about);
  Flag Add(const std::string& names, double& value, const std::string& about);
  Flag Add(const std::string& names, std::vector<std::string>& values, const std::string& about);
  Flag Add(const std::string& names, std::vector<int>& values, const std::string& about);
  Flag Add(const std::string& names, std::vector<uint32_t>& values, const std::string& about);
  Flag Add(const std::string& names, std::vector<uint64_t>& values, const std::string& about);
  // Calls `take` with the value, if there is one.
  Flag Add(const std::string& names, std::function<void(const std::string& value)> take,
           const std::string& about);
  // True if it is there; takes no value.
  Flag AddSwitch(const std::string& names, bool& value, const std::string& about);

  // The set owns its commands.
  FlagSet& AddCommand(const std::string& name, const std::string& about);
  void RequireCommand();                    // exactly one
  void TakeAfterCommands();                 // its own flags may stand behind a command too
  bool called() const;                      // after parsing: the command was given
  void SetFooter(const std::string& text);  // of --help

  // Call when all flags are added. Adds --version and --config, gives every flag its environment
  // variable, and parses. A value: leave main() with this exit code; help, version or one line
  // about the error have been printed.
  std::optional<int> Parse(int argc, const char* const* argv);

 private:
  explicit FlagSet(CLI::App* command);

  std::unique_ptr<CLI::App> owned_;  // of a program
  CLI::App* const app_;
  std::vector<std::unique_ptr<FlagSet>> commands_;
};

}  // namespace bank
