-- What wrk sends, and the one JSON line it prints at the end.
-- Arguments after "--": METHOD BODY_SIZE PIPELINE [unique]. Called by wrk.py; headers come by wrk's own -H.

function init(args)
  wrk.method = args[1]
  local size, pipeline = tonumber(args[2]), tonumber(args[3])
  if size > 0 then
    wrk.body = string.rep("x", size)
  end
  if args[4] == "unique" then
    wrk.headers["X-Unique"] = "@"
    local whole, number = wrk.format(), os.time() * 1000000
    local before, behind = whole:match("^(.-X%-Unique: )@(.*)$")
    request = function()
      number = number + 1
      return before .. string.format("%d", number) .. behind
    end
  elseif pipeline > 1 then
    local batch = string.rep(wrk.format(), pipeline)
    -- A global "request" makes wrk ask for each write; it counts the requests inside by itself.
    request = function() return batch end
  end
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d,' ..
    '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
