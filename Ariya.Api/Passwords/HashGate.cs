namespace Ariya.Api.Passwords;

/// <summary>
/// Lets as many hashes run as there are cores: more lose throughput and memory. A bounded number may wait, of which one
/// network holds at most half; beyond that the answer is a fast 503 instead of a slow time-out.
/// </summary>
internal sealed class HashGate(int cores, int maxWaiting) : IDisposable
{
    private readonly SemaphoreSlim _places = new(cores);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _waitingByNetwork = [];
    private int _waiting;

    /// <summary>A place, to be disposed when the hash is done; null when too many wait.</summary>
    public async ValueTask<IDisposable?> EnterAsync(string network, CancellationToken cancellationToken)
    {
        if (!_places.Wait(0, CancellationToken.None))
        {
            if (!TryQueue(network))
            {
                return null;
            }

            try
            {
                await _places.WaitAsync(cancellationToken);
            }
            finally
            {
                Dequeue(network);
            }
        }

        return new Place(_places);
    }

    public void Dispose() => _places.Dispose();

    private bool TryQueue(string network)
    {
        lock (_lock)
        {
            var ofNetwork = _waitingByNetwork.GetValueOrDefault(network);
            if (_waiting >= maxWaiting || ofNetwork >= maxWaiting / 2)
            {
                return false;
            }

            _waiting++;
            _waitingByNetwork[network] = ofNetwork + 1;
            return true;
        }
    }

    private void Dequeue(string network)
    {
        lock (_lock)
        {
            _waiting--;
            if (--_waitingByNetwork[network] == 0)
            {
                _waitingByNetwork.Remove(network);
            }
        }
    }

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        private int _released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
            {
                places.Release();
            }
        }
    }
}
