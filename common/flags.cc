#include "common/flags.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

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
    if (option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames().front();
    if (name == "help" || name == "version") continue;
    option->envname(EnvironmentName(name));
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    NameVariables(*command);
  }
}

}  // namespace

std::optional<int> ParseFlags(CLI::App& app, int argc, const char* const* argv) {
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
