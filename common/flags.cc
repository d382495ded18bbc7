#include "common/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <type_traits>

#include "common/decimal.h"
#include "common/exit_code.h"
#include "common/version.h"

namespace bank {
namespace {

std::string EnvironmentName(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return "BANK_" + name;
}

bool IsSet(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  return value != nullptr && *value != '\0';
}

// CLI11 lets a config file win over the environment; here a key whose variable is set is dropped.
class EnvironmentFirst final : public CLI::ConfigTOML {
 public:
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> kept = CLI::ConfigTOML::from_config(input);
    std::erase_if(kept, [](const auto& item) { return IsSet(EnvironmentName(item.name)); });
    return kept;
  }
};

void NameVariables(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) {
      option->configurable(false);  // a config file could name it all the same
      continue;
    }
    const std::string& name = option->get_lnames().front();
    if (name == "help" || name == "version") continue;
    if (option->get_configurable()) option->envname(EnvironmentName(name));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    NameVariables(*command);
  }
}

// CLI11 reads numbers as C does, `010` as eight, and clamps what is too large. So each value of a
// number is looked at first: before the checks, which are added later.
template <class Number>
CLI::Option* ReadStrictly(CLI::Option* option) {
  if constexpr (std::is_floating_point_v<Number>) {
    return option->transform(CLI::Validator(
        [](const std::string& text) {
          return IsDecimalFraction(text) ? std::string()
                                         : "'" + text + "' is not a number such as 90 or 0.25";
        },
        ""));
  } else {
    constexpr uint64_t kMax = std::is_signed_v<Number>
                                  ? uint64_t{std::numeric_limits<int64_t>::max()}
                                  : std::numeric_limits<uint64_t>::max();
    return option->transform(
        CLI::Validator([](const std::string& text) { return WhyNotDecimal(text, kMax); }, ""));
  }
}

}  // namespace

Flag Flag::Required() {
  option_->required();
  return *this;
}

Flag Flag::Checked(CLI::Validator validator) {
  option_->check(std::move(validator));
  return *this;
}

Flag Flag::BetweenIntegers(int64_t least, int64_t most) { return Checked(CLI::Range(least, most)); }
Flag Flag::BetweenNaturals(uint64_t least, uint64_t most) {
  return Checked(CLI::Range(least, most));
}
Flag Flag::BetweenFractions(double least, double most) { return Checked(CLI::Range(least, most)); }
Flag Flag::Positive() { return Checked(CLI::PositiveNumber); }
Flag Flag::NotNegative() { return Checked(CLI::NonNegativeNumber); }
Flag Flag::OneOf(std::vector<std::string> values) {
  return Checked(CLI::IsMember(std::move(values)));
}

Flag Flag::Check(std::function<std::string(const std::string& value)> fault) {
  option_->check(std::move(fault));
  return *this;
}

Flag Flag::SplitAt(char delimiter) {
  option_->delimiter(delimiter);
  return *this;
}

Flag Flag::OneValueEach() {
  option_->allow_extra_args(false);
  return *this;
}

Flag Flag::Excludes(Flag other) {
  option_->excludes(other.option_);
  return *this;
}

Flag Flag::Needs(Flag other) {
  option_->needs(other.option_);
  return *this;
}

Flag Flag::ExactlyValues(int count) {
  option_->expected(count);
  return *this;
}

Flag Flag::OfOneCall() {
  option_->configurable(false);
  return *this;
}

Flag Flag::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Flag Flag::ShowDefault(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Flag Flag::ShowType(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Flag Flag::Group(const std::string& heading) {
  option_->group(heading);
  return *this;
}

Flag Flag::Variable(const std::string& name) {
  option_->envname(name);
  return *this;
}

bool Flag::given() const { return option_->count() > 0; }
std::string Flag::name() const { return option_->get_name(); }

FlagSet::FlagSet(const std::string& about, const std::string& program)
    : owned_(std::make_unique<CLI::App>(about, program)), app_(owned_.get()) {}
FlagSet::FlagSet(CLI::App* command) : app_(command) {}
FlagSet::~FlagSet() = default;

Flag FlagSet::Add(const std::string& names, std::string& value, const std::string& about) {
  return Flag(app_->add_option(names, value, about));
}
Flag FlagSet::Add(const std::string& names, int& value, const std::string& about) {
  return Flag(ReadStrictly<int>(app_->add_option(names, value, about)));
}
Flag FlagSet::Add(const std::string& names, int64_t& value, const std::string& about) {
  return Flag(ReadStrictly<int64_t>(app_->add_option(names, value, about)));
}
Flag FlagSet::Add(const std::string& names, uint32_t& value, const std::string& about) {
  return Flag(ReadStrictly<uint32_t>(app_->add_option(names, value, about)));
}
Flag FlagSet::Add(const std::string& names, uint64_t& value, const std::string& about) {
  return Flag(ReadStrictly<uint64_t>(app_->add_option(names, value, about)));
}
Flag FlagSet::Add(const std::string& names, double& value, const std::string& about) {
  return Flag(ReadStrictly<double>(app_->add_option(names, value, about)));
}
Flag FlagSet::Add(const std::string& names, std::vector<std::string>& values,
                  const std::string& about) {
  return Flag(app_->add_option(names, values, about));
}
Flag FlagSet::Add(const std::string& names, std::vector<int>& values, const std::string& about) {
  return Flag(ReadStrictly<int>(app_->add_option(names, values, about)));
}
Flag FlagSet::Add(const std::string& names, std::vector<uint32_t>& values,
                  const std::string& about) {
  return Flag(ReadStrictly<uint32_t>(app_->add_option(names, values, about)));
}
Flag FlagSet::Add(const std::string& names, std::vector<uint64_t>& values,
                  const std::string& about) {
  return Flag(ReadStrictly<uint64_t>(app_->add_option(names, values, about)));
}

Flag FlagSet::Add(const std::string& names, std::function<void(const std::string& value)> take,
                  const std::string& about) {
  return Flag(app_->add_option_function<std::string>(names, std::move(take), about));
}

Flag FlagSet::AddSwitch(const std::string& names, bool& value, const std::string& about) {
  return Flag(app_->add_flag(names, value, about));
}

FlagSet& FlagSet::AddCommand(const std::string& name, const std::string& about) {
  commands_.emplace_back(new FlagSet(app_->add_subcommand(name, about)));
  return *commands_.back();
}

void FlagSet::RequireCommand() { app_->require_subcommand(1); }
void FlagSet::TakeAfterCommands() { app_->fallthrough(); }
bool FlagSet::called() const { return app_->parsed(); }
void FlagSet::SetFooter(const std::string& text) { app_->footer(text); }

std::optional<int> FlagSet::Parse(int argc, const char* const* argv) {
  CLI::App& app = *app_;
  app.set_version_flag("--version", app.get_name() + " " + std::string(Version()));
  app.set_config("--config", "", "read flags that are not given from this file (TOML or INI)")
      ->type_name("FILE");
  app.config_formatter(std::make_shared<EnvironmentFirst>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  NameVariables(app);
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::FileError& error) {
    std::cerr << app.get_name() << ": " << error.what() << "\n";
    return kExitBadInput;
  } catch (const CLI::ConfigError& error) {
    std::cerr << app.get_name() << ": config file: " << error.what() << "\n";
    return kExitBadInput;
  } catch (const CLI::ParseError& error) {
    std::cerr << app.get_name() << ": " << error.what() << " (see --help)\n";
    return kExitUsage;
  }
}

}  // namespace bank
