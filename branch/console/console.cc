#include "branch/console/console.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <httplib.h>

#include "branch/console/assets.h"
#include "common/decimal.h"

namespace bank::console {
namespace {

constexpr std::chrono::milliseconds kUpdateEvery{500};
constexpr size_t kThreads = Console::kStreamsMax + 8;
constexpr int kHttpForbidden = 403;
constexpr int kHttpUnavailable = 503;

int64_t NowMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

struct HostPort {
  std::string host;
  int port = 0;
};

// net::HostOf has seen that it is one.
HostPort Split(const std::string& address) {
  const size_t colon = address.rfind(':');
  HostPort parts{.host = address.substr(0, colon), .port = 0};
  if (parts.host.starts_with('[')) parts.host = parts.host.substr(1, parts.host.size() - 2);
  parts.port = ParseDecimal<uint16_t>(std::string_view(address).substr(colon + 1)).value_or(0);
  return parts;
}

// The name by which the caller asked for this server, without the port.
bool AskedByLoopbackName(const httplib::Request& request) {
  const std::string asked = request.get_header_value("Host");
  const auto host = net::HostOf(asked);
  return net::IsLoopbackHost(host.ok() ? *host : asked);
}

std::string AsEvent(int64_t id, const std::string& message) {
  return fmt::format("id: {}\nevent: update\ndata: {}\n\n", id, message);
}

}  // namespace

Console::Console(ConsoleSources sources, telemetry::MetricStore& store)
    : sources_(std::move(sources)), view_(sources_.view, store) {}

absl::StatusOr<std::unique_ptr<Console>> Console::Start(const ConsoleOptions& options,
                                                        ConsoleSources sources,
                                                        telemetry::MetricStore& store) {
  auto console = std::unique_ptr<Console>(new Console(std::move(sources), store));
  if (absl::Status listening = console->Listen(options); !listening.ok()) return listening;
  return console;
}

absl::Status Console::Listen(const ConsoleOptions& options) {
  const auto host = net::HostOf(options.listen);
  if (!host.ok()) return host.status();
  // The same rule as for the branch's own port.
  if (auto allowed = net::MakeServerCredentials(options.listen, options.tls); !allowed.ok()) {
    return allowed.status();
  }
  const bool loopback = net::IsLoopbackHost(*host);
  secure_ = !loopback;
  if (loopback) {
    server_ = std::make_unique<httplib::Server>();
  } else {
    auto secure = std::make_unique<httplib::SSLServer>(
        options.tls.certificate.c_str(), options.tls.key.c_str(), options.tls.authority.c_str());
    if (!secure->is_valid()) {
      return absl::InvalidArgumentError("--http: the TLS files are not usable for HTTPS");
    }
    server_ = std::move(secure);
  }
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  // Not the library's own SO_REUSEPORT, with which two consoles share one port.
  server_->set_socket_options([](socket_t socket) {
    const int on = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  });
  server_->set_keep_alive_timeout(2);  // seconds; an idle connection holds a thread
  server_->set_payload_max_length(1 << 16);
  server_->set_tcp_nodelay(true);
  AddRoutes(loopback);

  const HostPort at = Split(options.listen);
  port_ = at.port;
  if (at.port == 0) {
    port_ = server_->bind_to_any_port(at.host.c_str());
  } else if (!server_->bind_to_port(at.host.c_str(), at.port)) {
    port_ = -1;
  }
  if (port_ < 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {} for HTTP: is the port in use?", options.listen));
  }
  composer_ = std::thread([this] { ComposeForever(); });
  listener_ = std::thread([this] { server_->listen_after_bind(); });
  // stop() does nothing to a server that does not run yet, and the library has nothing to wait on.
  while (!server_->is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return absl::OkStatus();
}

void Console::AddRoutes(bool loopback_only) {
  server_->set_default_headers({{"Cache-Control", "no-store"},
                                {"X-Content-Type-Options", "nosniff"},
                                {"Referrer-Policy", "no-referrer"},
                                {"Content-Security-Policy",
                                 "default-src 'self'; img-src data:; style-src 'self' "
                                 "'unsafe-inline'; frame-ancestors 'none'"}});
  server_->set_pre_routing_handler(
      [loopback_only](const httplib::Request& request, httplib::Response& response) {
        using Handled = httplib::Server::HandlerResponse;
        if (request.method != "GET" && request.method != "HEAD") {
          response.status = kHttpForbidden;
          response.set_content("read-only: only GET is answered\n", "text/plain");
          return Handled::Handled;
        }
        if (loopback_only && !AskedByLoopbackName(request)) {
          response.status = kHttpForbidden;
          response.set_content("ask for this by localhost\n", "text/plain");
          return Handled::Handled;
        }
        return Handled::Unhandled;
      });
  for (unsigned long i = 0; i < kAssetCount; ++i) {
    const Asset& asset = kAssets[i];
    server_->Get(std::string(asset.path), [&asset](const auto&, httplib::Response& response) {
      response.set_content(asset.bytes.data(), asset.bytes.size(), std::string(asset.type));
    });
  }
  server_->Get("/api/view", [this](const auto&, httplib::Response& response) {
    response.set_content(Compose(0), "application/json");
  });
  server_->Get("/metrics", [this](const auto&, httplib::Response& response) {
    response.set_content(sources_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  AddChecks("livez", sources_.live);
  AddChecks("readyz", sources_.ready);
  AddStream();
}

void Console::AddChecks(const std::string& endpoint, const std::vector<Check>& checks) {
  const auto answer = [endpoint](const std::vector<Check>& asked, const httplib::Request& request,
                                 httplib::Response& response) {
    std::set<std::string> excluded;
    for (size_t i = 0; i < request.get_param_value_count("exclude"); ++i) {
      excluded.insert(request.get_param_value("exclude", i));
    }
    const ChecksAnswer result = RunChecks(endpoint, asked, excluded, request.has_param("verbose"));
    response.status = result.ok ? 200 : kHttpUnavailable;
    response.set_content(result.text, "text/plain; charset=utf-8");
  };
  server_->Get("/" + endpoint, [answer, &checks](const auto& request, auto& response) {
    answer(checks, request, response);
  });
  for (const Check& check : checks) {
    server_->Get("/" + endpoint + "/" + check.name,
                 [answer, check](const auto& request, auto& response) {
                   answer({check}, request, response);
                 });
  }
}

void Console::AddStream() {
  server_->Get("/api/stream", [this](const httplib::Request& request, auto& response) {
    if (streams_.fetch_add(1) >= kStreamsMax) {
      streams_.fetch_sub(1);
      response.status = kHttpUnavailable;
      response.set_content("too many pages are open on this branch\n", "text/plain");
      return;
    }
    const auto id = ParseDecimal<int64_t>(request.get_header_value("Last-Event-ID"), 0);
    const int64_t seen_ms = std::min(id.value_or(0), NowMs());
    auto first = std::make_shared<bool>(true);
    auto number = std::make_shared<uint64_t>(0);
    auto sent_ms = std::make_shared<int64_t>(seen_ms);
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, first, number, sent_ms](size_t, httplib::DataSink& sink) {
          if (broadcast_.closed()) {
            sink.done();
            return true;
          }
          if (std::exchange(*first, false)) {
            return SendSince(sent_ms.get(), number.get(), sink);
          }
          const Broadcast::Message message =
              broadcast_.Await(*number, std::chrono::milliseconds(2000));
          if (message.number == 0) return true;
          // A page that takes its time has missed what stood in the messages between.
          const bool missed = *number != 0 && message.number != *number + 1;
          *number = message.number;
          if (missed) return SendSince(sent_ms.get(), number.get(), sink);
          *sent_ms = NowMs();
          return sink.write(message.text->data(), message.text->size());
        },
        [this](bool) { streams_.fetch_sub(1); });
  });
}

bool Console::SendSince(int64_t* sent_ms, uint64_t* number, httplib::DataSink& sink) {
  std::string event;
  {
    absl::MutexLock lock(&view_mutex_);  // messages are composed and sent under it too
    const int64_t now_ms = NowMs();
    event = AsEvent(now_ms, view_.Compose(now_ms, std::exchange(*sent_ms, now_ms)));
    *number = broadcast_.number();  // what was sent before is older than this
  }
  return sink.write(event.data(), event.size());
}

std::string Console::Compose(int64_t since_ms) {
  absl::MutexLock lock(&view_mutex_);
  return view_.Compose(NowMs(), since_ms);
}

void Console::ComposeForever() {
  while (!broadcast_.closed()) {
    if (streams_ > 0) {
      absl::MutexLock lock(&view_mutex_);
      const int64_t now_ms = NowMs();
      broadcast_.Send(AsEvent(now_ms, view_.ComposeNews(now_ms)));
    } else {
      absl::MutexLock lock(&view_mutex_);
      view_.PassOver();
    }
    broadcast_.AwaitClosed(kUpdateEvery);
  }
}

Console::~Console() { Stop(); }

void Console::Stop() {
  if (std::exchange(stopped_, true)) return;
  broadcast_.Close();
  if (server_ != nullptr) server_->stop();
  if (listener_.joinable()) listener_.join();
  if (composer_.joinable()) composer_.join();
}

}  // namespace bank::console
