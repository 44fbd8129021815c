using Aspire.Hosting.Eventing;

namespace Aspire.Hosting.ApplicationModel
{
    /// <summary>The resource is about to wait for its dependencies and start.</summary>
    public class BeforeResourceStartedEvent(IResource resource, IServiceProvider services) : IDistributedApplicationResourceEvent
    {
        public IResource Resource { get; } = resource;
        public IServiceProvider Services { get; } = services;
    }

    /// <summary>The resource is healthy for the first time in this run; those who wait for it go on when the handlers have ended.</summary>
    public class ResourceReadyEvent(IResource resource, IServiceProvider services) : IDistributedApplicationResourceEvent
    {
        public IResource Resource { get; } = resource;
        public IServiceProvider Services { get; } = services;
    }
}

namespace Aspire.Hosting.Eventing
{
    using Aspire.Hosting.ApplicationModel;

    public interface IDistributedApplicationEvent;

    public interface IDistributedApplicationResourceEvent : IDistributedApplicationEvent
    {
        IResource Resource { get; }
    }

    public interface IDistributedApplicationEventing
    {
        DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationResourceEvent;

        /// <summary>Runs the handlers one after another; whoever publishes waits for them.</summary>
        Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default) where T : IDistributedApplicationEvent;
    }

    public class DistributedApplicationEventSubscription(Func<IDistributedApplicationEvent, CancellationToken, Task> callback)
    {
        public Func<IDistributedApplicationEvent, CancellationToken, Task> Callback { get; } = callback;
    }

    public class DistributedApplicationEventing : IDistributedApplicationEventing
    {
        // Subscriptions are made while the model is built, before anything is published.
        private readonly List<DistributedApplicationEventSubscription> _subscriptions = [];

        public DistributedApplicationEventSubscription Subscribe<T>(IResource resource, Func<T, CancellationToken, Task> callback)
            where T : IDistributedApplicationResourceEvent
        {
            var subscription = new DistributedApplicationEventSubscription((e, cancel) =>
                e is T matching && ReferenceEquals(matching.Resource, resource) ? callback(matching, cancel) : Task.CompletedTask);
            _subscriptions.Add(subscription);
            return subscription;
        }

        public async Task PublishAsync<T>(T @event, CancellationToken cancellationToken = default) where T : IDistributedApplicationEvent
        {
            foreach (var subscription in _subscriptions)
            {
                await subscription.Callback(@event, cancellationToken);
            }
        }
    }
}
