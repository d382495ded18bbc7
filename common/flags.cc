#include "common/flags.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <memory>
#include <vector>

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

// CLI11 reads numbers as C does, `010` as eight, and clamps what is too large. So each value of a
// number is looked at first.
void ReadStrictly(CLI::Option& option) {
  const std::string described = option.get_type_name();
  const std::string type = described.substr(0, described.find(':'));
  if (type == "INT" || type == "UINT") {
    const uint64_t max = type == "INT" ? uint64_t{std::numeric_limits<int64_t>::max()}
                                       : std::numeric_limits<uint64_t>::max();
    option.transform(
        CLI::Validator([max](std::string& text) { return WhyNotDecimal(text, max); }, ""));
  } else if (type == "FLOAT") {
    option.transform(CLI::Validator(
        [](const std::string& text) {
          return IsDecimalFraction(text) ? std::string()
                                         : "'" + text + "' is not a number such as 90 or 0.25";
        },
        ""));
  }
}

void Prepare(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    ReadStrictly(*option);
    if (option->get_lnames().empty()) {
      option->configurable(false);  // a config file could name it all the same
      continue;
    }
    const std::string& name = option->get_lnames().front();
    if (name == "help" || name == "version") continue;
    if (option->get_configurable()) option->envname(EnvironmentName(name));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    Prepare(*command);
  }
}

}  // namespace

CLI::Option* OfOneCall(CLI::Option* option) { return option->configurable(false); }

std::optional<int> ParseFlags(CLI::App& app, int argc, const char* const* argv) {
  app.set_version_flag("--version", app.get_name() + " " + std::string(Version()));
  app.set_config("--config", "", "read flags that are not given from this file (TOML or INI)")
      ->type_name("FILE");
  app.config_formatter(std::make_shared<EnvironmentFirst>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  Prepare(app);
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
