BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('dc11669786a5');
CREATE TABLE "assessments" (
	assessment_id VARCHAR(50) NOT NULL, 
	trace_id VARCHAR(50) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	assessment_type VARCHAR(20) NOT NULL, 
	value TEXT NOT NULL, 
	error TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	source_type VARCHAR(50) NOT NULL, 
	source_id VARCHAR(250), 
	run_id VARCHAR(32), 
	span_id VARCHAR(50), 
	rationale TEXT, 
	overrides VARCHAR(50), 
	valid BOOLEAN NOT NULL, 
	assessment_metadata TEXT, 
	experiment_id INTEGER, 
	trace_timestamp_ms BIGINT, 
	aggregate_value FLOAT, 
	is_numeric_value BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT assessments_pk PRIMARY KEY (assessment_id), 
	CONSTRAINT fk_assessments_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE budget_policies (
	budget_policy_id VARCHAR(36) NOT NULL, 
	budget_unit VARCHAR(32) NOT NULL, 
	budget_amount FLOAT NOT NULL, 
	duration_unit VARCHAR(32) NOT NULL, 
	duration_value INTEGER NOT NULL, 
	target_scope VARCHAR(32) NOT NULL, 
	budget_action VARCHAR(32) NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, target_value VARCHAR(255), 
	CONSTRAINT budget_policies_pk PRIMARY KEY (budget_policy_id)
);
CREATE TABLE "datasets" (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE endpoint_bindings (
	endpoint_id VARCHAR(36) NOT NULL, 
	resource_type VARCHAR(50) NOT NULL, 
	resource_id VARCHAR(255) NOT NULL, 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), display_name VARCHAR(255), 
	CONSTRAINT endpoint_bindings_pk PRIMARY KEY (endpoint_id, resource_type, resource_id), 
	CONSTRAINT fk_endpoint_bindings_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE
);
CREATE TABLE endpoint_model_mappings (
	mapping_id VARCHAR(36) NOT NULL, 
	endpoint_id VARCHAR(36) NOT NULL, 
	model_definition_id VARCHAR(36) NOT NULL, 
	weight FLOAT NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, linkage_type VARCHAR(64) DEFAULT 'PRIMARY' NOT NULL, fallback_order INTEGER, 
	CONSTRAINT endpoint_model_mappings_pk PRIMARY KEY (mapping_id), 
	CONSTRAINT fk_endpoint_model_mappings_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE, 
	CONSTRAINT fk_endpoint_model_mappings_model_definition_id FOREIGN KEY(model_definition_id) REFERENCES model_definitions (model_definition_id)
);
CREATE TABLE endpoint_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	endpoint_id VARCHAR(36) NOT NULL, 
	CONSTRAINT endpoint_tag_pk PRIMARY KEY ("key", endpoint_id), 
	CONSTRAINT fk_endpoint_tags_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE
);
CREATE TABLE "endpoints" (
	endpoint_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255), 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	routing_strategy VARCHAR(64), 
	fallback_config_json TEXT, 
	experiment_id INTEGER, 
	usage_tracking BOOLEAN DEFAULT '0' NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT endpoints_pk PRIMARY KEY (endpoint_id), 
	CONSTRAINT fk_endpoints_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE SET NULL, 
	CONSTRAINT uq_endpoints_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE entity_associations (
	association_id VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	created_time BIGINT, 
	CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
CREATE TABLE "evaluation_dataset_records" (
	dataset_record_id VARCHAR(36) NOT NULL, 
	dataset_id VARCHAR(36) NOT NULL, 
	inputs JSON NOT NULL, 
	expectations JSON, 
	tags JSON, 
	source JSON, 
	source_id VARCHAR(36), 
	source_type VARCHAR(255), 
	created_time BIGINT, 
	last_update_time BIGINT, 
	created_by VARCHAR(255), 
	last_updated_by VARCHAR(255), 
	input_hash VARCHAR(64) NOT NULL, outputs JSON, 
	CONSTRAINT evaluation_dataset_records_pk PRIMARY KEY (dataset_record_id), 
	CONSTRAINT fk_evaluation_dataset_records_dataset_id FOREIGN KEY(dataset_id) REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE, 
	CONSTRAINT unique_dataset_input UNIQUE (dataset_id, input_hash)
);
CREATE TABLE evaluation_dataset_tags (
	dataset_id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT evaluation_dataset_tags_pk PRIMARY KEY (dataset_id, "key"), 
	CONSTRAINT fk_evaluation_dataset_tags_dataset_id FOREIGN KEY(dataset_id) REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE
);
CREATE TABLE "evaluation_datasets" (
	dataset_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	schema TEXT, 
	profile TEXT, 
	digest VARCHAR(64), 
	created_time BIGINT, 
	last_update_time BIGINT, 
	created_by VARCHAR(255), 
	last_updated_by VARCHAR(255), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT evaluation_datasets_pk PRIMARY KEY (dataset_id)
);
CREATE TABLE "experiment_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "experiment_tags" VALUES('mlflow.experimentKind','custom_model_development',1);
INSERT INTO "experiment_tags" VALUES('mlflow.sharedViewState.trials','{"selectedColumns": ["metrics.`edges`", "metrics.`inference_us`", "metrics.`shown_accuracy`", "metrics.`test_accuracy`", "metrics.`val_accuracy`", "tags.`pareto`", "tags.`parent_trial`", "tags.`mutation`"], "orderByKey": "metrics.`test_accuracy`", "orderByAsc": false, "searchFilter": "tags.trial != ''''"}',1);
INSERT INTO "experiment_tags" VALUES('mlflow.sharedViewState.front','{"selectedColumns": ["metrics.`edges`", "metrics.`inference_us`", "metrics.`shown_accuracy`", "metrics.`test_accuracy`", "metrics.`val_accuracy`", "tags.`pareto`", "tags.`parent_trial`", "tags.`mutation`"], "orderByKey": "metrics.`test_accuracy`", "orderByAsc": false, "searchFilter": "tags.pareto = ''true''"}',1);
INSERT INTO "experiment_tags" VALUES('mlflow.note.content','4 trials · best 88.9 % · front of 1. Open [the front as a table](#/experiments/1/runs?viewStateShareKey=front&workflowType=machine_learning) · [all trials as a table](#/experiments/1/runs?viewStateShareKey=trials&workflowType=machine_learning).

One search is one parent run: open it for the front (artifact `front.html`) and the overview. Its children are the trials; those tagged `pareto = true` are on the front and carry pictures of their network and its checkpoint.',1);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','/somewhere/mlruns/0','active',1796055484452,1796055484452,'default');
INSERT INTO "experiments" VALUES(1,'sampled','file:///somewhere/nas-runs/artifacts/sampled','active',1796055484530,1796055484530,'default');
CREATE TABLE guardrail_configs (
	endpoint_id VARCHAR(36) NOT NULL, 
	guardrail_id VARCHAR(36) NOT NULL, 
	execution_order INTEGER, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT guardrail_configs_pk PRIMARY KEY (endpoint_id, guardrail_id), 
	CONSTRAINT fk_guardrail_configs_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE, 
	CONSTRAINT fk_guardrail_configs_guardrail_id FOREIGN KEY(guardrail_id) REFERENCES guardrails (guardrail_id) ON DELETE CASCADE
);
CREATE TABLE guardrails (
	guardrail_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	scorer_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	action_endpoint_id VARCHAR(36), 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT guardrails_pk PRIMARY KEY (guardrail_id), 
	CONSTRAINT fk_guardrails_scorer_version FOREIGN KEY(scorer_id, scorer_version) REFERENCES scorer_versions (scorer_id, scorer_version), 
	CONSTRAINT fk_guardrails_action_endpoint_id FOREIGN KEY(action_endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE SET NULL
);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
CREATE TABLE issues (
	issue_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	description TEXT NOT NULL, 
	status VARCHAR(50) NOT NULL, 
	severity VARCHAR(50), 
	root_causes TEXT, 
	source_run_id VARCHAR(32), 
	categories TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	created_by VARCHAR(255), 
	CONSTRAINT issues_pk PRIMARY KEY (issue_id), 
	CONSTRAINT fk_issues_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT fk_issues_source_run_id FOREIGN KEY(source_run_id) REFERENCES runs (run_uuid) ON DELETE SET NULL
);
CREATE TABLE job_locks (
	lock_key VARCHAR(255) NOT NULL, 
	job_id VARCHAR(36) NOT NULL, 
	acquired_at BIGINT NOT NULL, 
	CONSTRAINT job_locks_pk PRIMARY KEY (lock_key), 
	CONSTRAINT fk_job_locks_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE "jobs" (
	id VARCHAR(36) NOT NULL, 
	creation_time BIGINT NOT NULL, 
	job_name VARCHAR(500) NOT NULL, 
	params TEXT NOT NULL, 
	timeout FLOAT, 
	status INTEGER NOT NULL, 
	result TEXT, 
	retry_count INTEGER NOT NULL, 
	last_update_time BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, status_details JSON, creator VARCHAR(255), executor_backend VARCHAR(255), lease_expires_at BIGINT, status_message TEXT, progress JSON, progress_updated_at BIGINT, token_hash VARCHAR(64), scoped_permissions JSON, next_attempt_at BIGINT, 
	CONSTRAINT jobs_pk PRIMARY KEY (id)
);
CREATE TABLE label_schemas (
	schema_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	instruction TEXT, 
	enable_comment BOOLEAN DEFAULT '0' NOT NULL, 
	input_type VARCHAR(32) NOT NULL, 
	input_config TEXT NOT NULL, 
	created_by VARCHAR(255), 
	created_time BIGINT NOT NULL, 
	last_update_time BIGINT NOT NULL, 
	is_default BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT label_schemas_pk PRIMARY KEY (schema_id), 
	CONSTRAINT fk_label_schemas_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT uq_label_schemas_exp_name UNIQUE (experiment_id, name)
);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "latest_metrics" VALUES('val_loss',0.480445,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('val_error',0.111111,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.888889,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('val_score',0.296689,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('test_loss',1.06172,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('test_error',0.75,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.25,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('edges',66.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('density',0.6,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('depth',2.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('neurons',4.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('flow',106.78,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('smooth_edges',66.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('train_step_seconds',5.40191e-06,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('train_bytes',10755.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('inference_seconds',7.06421e-06,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('inference_spread',9.91671e-07,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('reference_seconds',0.0011421,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('predicted_train_step_seconds',3.33372e-06,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('predicted_inference_seconds',7.02959e-06,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('predicted_train_bytes',10355.1,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('flash',864.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('ram',60.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('cycles',11978.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('inference_us',7.064,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/objective',0.454021,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/flow',106.763,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/sparsity',1.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/total',0.554021,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/train_accuracy',0.875,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/live_edges',66.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/density',0.6,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/learning_rate',0.000312034,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/temperature',0.00792447,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/repairs',0.0,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/val_loss',0.480445,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('curve/val_accuracy',0.888889,1796055499621,20,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('hypervolume',0.763102,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('front_size',1.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('trials',4.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('best_accuracy',0.888889,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('curve/hypervolume_by_seconds',0.604296,1796055505328,21,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('curve/hypervolume_by_trials',0.604296,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('val_loss',0.747458,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('val_error',0.444444,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.555556,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('val_score',0.500896,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('test_loss',0.536936,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('test_error',0.0833333,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.916667,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('edges',66.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('density',0.6,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('depth',2.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('neurons',4.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('flow',108.312,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('smooth_edges',66.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('train_step_seconds',5.5489e-06,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('train_bytes',9347.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('inference_seconds',7.04815e-06,1796055505328,1000000000,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('inference_spread',1.03548e-06,1796055505328,1000000000,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('reference_seconds',0.0011421,1796055505328,1000000000,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('predicted_train_step_seconds',3.32793e-06,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('predicted_inference_seconds',7.024e-06,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('predicted_train_bytes',9700.87,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('flash',608.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('ram',60.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('cycles',11978.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('inference_us',7.048,1796055505328,1000000000,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/objective',0.617694,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/flow',108.311,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/sparsity',1.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/total',0.717694,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/train_accuracy',0.625,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/live_edges',66.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/density',0.6,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/learning_rate',1.31884e-05,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/temperature',0.00792447,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/repairs',0.0,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/val_loss',0.747458,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('curve/val_accuracy',0.555556,1796055499718,20,0,'006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "latest_metrics" VALUES('val_loss',0.620051,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('val_error',0.555556,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.444444,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('val_score',0.437988,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('test_loss',0.915666,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('test_error',0.666667,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.333333,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('edges',66.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('density',0.6,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('depth',2.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('neurons',4.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('flow',125.995,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('smooth_edges',66.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('train_step_seconds',5.36345e-06,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('train_bytes',10755.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('inference_seconds',7.07772e-06,1796055505328,1000000000,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('inference_spread',9.46861e-07,1796055505328,1000000000,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('reference_seconds',0.0011421,1796055505328,1000000000,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('predicted_train_step_seconds',3.33372e-06,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('predicted_inference_seconds',7.02959e-06,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('predicted_train_bytes',10355.1,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('flash',864.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('ram',60.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('cycles',11978.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('inference_us',7.078,1796055505328,1000000000,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/objective',0.840601,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/flow',125.993,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/sparsity',1.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/total',0.940601,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/train_accuracy',0.375,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/live_edges',66.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/density',0.6,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/learning_rate',0.000144675,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/temperature',0.00792447,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/repairs',0.0,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/val_loss',0.620051,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('curve/val_accuracy',0.444444,1796055499826,20,0,'7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "latest_metrics" VALUES('val_loss',0.62246,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('val_error',0.111111,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('val_accuracy',0.888889,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('val_score',0.346391,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('test_loss',0.813934,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('test_error',0.666667,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('test_accuracy',0.333333,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('edges',66.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('density',0.6,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('depth',2.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('neurons',4.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('flow',67.3223,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('smooth_edges',66.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('train_step_seconds',5.37884e-06,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('train_bytes',9347.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('inference_seconds',7.13496e-06,1796055505328,1000000000,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('inference_spread',9.26136e-07,1796055505328,1000000000,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('reference_seconds',0.0011421,1796055505328,1000000000,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('predicted_train_step_seconds',3.32866e-06,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('predicted_inference_seconds',7.02952e-06,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('predicted_train_bytes',9700.87,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('flash',864.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('ram',60.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('cycles',11978.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('inference_us',7.135,1796055505328,1000000000,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/objective',0.663243,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/flow',67.3231,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/sparsity',1.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/total',0.763243,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/train_accuracy',0.625,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/live_edges',66.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/density',0.6,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/learning_rate',3.41215e-05,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/temperature',0.00792447,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/repairs',0.0,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/val_loss',0.62246,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('curve/val_accuracy',0.888889,1796055500103,20,0,'7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "latest_metrics" VALUES('shown_error',0.111111,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_error_low',0.0130451,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_error_high',0.541735,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_error_deviation',0.128565,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_accuracy',0.888889,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_accuracy_low',0.458265,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('shown_accuracy_high',0.986955,1796055505328,1000000000,0,'94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "latest_metrics" VALUES('baseline_linear_val_accuracy',1.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_val_error',0.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_test_accuracy',0.833333,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_test_error',0.166667,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_inference_seconds',4.73323e-06,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_edges',16.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_linear_training_seconds',0.0826693,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_val_accuracy',1.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_val_error',0.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_test_accuracy',0.833333,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_test_error',0.166667,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_inference_seconds',0.000255373,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_edges',568.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_boosting_training_seconds',1.04429,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_val_accuracy',1.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_val_error',0.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_test_accuracy',0.5,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_test_error',0.5,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_inference_seconds',1.00274e-05,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_edges',544.0,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "latest_metrics" VALUES('baseline_mlp_training_seconds',0.821312,1796055505328,4,0,'a01763f2616e4a328fdb47df21a2b0c5');
CREATE TABLE logged_model_metrics (
	model_id VARCHAR(36) NOT NULL, 
	metric_name VARCHAR(500) NOT NULL, 
	metric_timestamp_ms BIGINT NOT NULL, 
	metric_step BIGINT NOT NULL, 
	metric_value FLOAT, 
	experiment_id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	dataset_uuid VARCHAR(36), 
	dataset_name VARCHAR(500), 
	dataset_digest VARCHAR(36), 
	CONSTRAINT logged_model_metrics_pk PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id), 
	CONSTRAINT fk_logged_model_metrics_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_metrics_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE, 
	CONSTRAINT fk_logged_model_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_uuid) ON DELETE CASCADE
);
CREATE TABLE logged_model_params (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	param_key VARCHAR(255) NOT NULL, 
	param_value TEXT NOT NULL, 
	CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key), 
	CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE logged_model_tags (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	tag_key VARCHAR(255) NOT NULL, 
	tag_value TEXT NOT NULL, 
	CONSTRAINT logged_model_tags_pk PRIMARY KEY (model_id, tag_key), 
	CONSTRAINT fk_logged_model_tags_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_tags_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE logged_models (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	artifact_location VARCHAR(1000) NOT NULL, 
	creation_timestamp_ms BIGINT NOT NULL, 
	last_updated_timestamp_ms BIGINT NOT NULL, 
	status INTEGER NOT NULL, 
	lifecycle_stage VARCHAR(32), 
	model_type VARCHAR(500), 
	source_run_id VARCHAR(32), 
	status_message VARCHAR(1000), 
	CONSTRAINT logged_models_pk PRIMARY KEY (model_id), 
	CONSTRAINT logged_models_lifecycle_stage_check CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE mcp_access_endpoints (
	id VARCHAR(36) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	server_name VARCHAR(256) NOT NULL, 
	server_version VARCHAR(128), 
	server_alias VARCHAR(256), 
	url VARCHAR(2048) NOT NULL, 
	transport_type VARCHAR(32) DEFAULT 'streamable-http' NOT NULL, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_access_endpoints_pk PRIMARY KEY (id), 
	CONSTRAINT mcp_access_endpoints_server_fkey FOREIGN KEY(workspace, server_name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_aliases (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	alias VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	CONSTRAINT mcp_server_aliases_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT mcp_server_aliases_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_tags (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT mcp_server_tags_pk PRIMARY KEY (workspace, name, "key"), 
	CONSTRAINT mcp_server_tags_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_version_tags (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT mcp_server_version_tags_pk PRIMARY KEY (workspace, name, version, "key"), 
	CONSTRAINT mcp_server_version_tags_version_fkey FOREIGN KEY(workspace, name, version) REFERENCES mcp_server_versions (workspace, name, version) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_versions (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	version_major INTEGER NOT NULL, 
	version_minor INTEGER NOT NULL, 
	version_patch INTEGER NOT NULL, 
	version_prerelease_sort_key VARCHAR(512) NOT NULL, 
	server_json JSON NOT NULL, 
	status VARCHAR(20) DEFAULT 'draft' NOT NULL, 
	tools JSON, 
	source VARCHAR(512), 
	connect_options JSON, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_server_versions_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT mcp_server_versions_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_servers (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	display_name VARCHAR(256), 
	description TEXT, 
	icons JSON, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_servers_pk PRIMARY KEY (workspace, name)
);
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('val_loss',0.480445,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('val_error',0.111111,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.888889,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('val_score',0.296689,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('test_loss',1.06172,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('test_error',0.75,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.25,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('edges',66.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('density',0.6,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('depth',2.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('neurons',4.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('flow',106.78,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('smooth_edges',66.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('train_step_seconds',5.40191e-06,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('train_bytes',10755.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('inference_seconds',6.99366e-06,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('inference_spread',9.12044e-07,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.00115295,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('predicted_train_step_seconds',3.33372e-06,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('predicted_inference_seconds',7.02959e-06,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('predicted_train_bytes',10355.1,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('flash',864.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('ram',60.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('cycles',11978.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('inference_us',6.994,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/objective',0.435449,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/objective',0.454021,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/flow',99.435,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/flow',106.763,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/total',0.535449,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/total',0.554021,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.875,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.875,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.0293094,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.000312034,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.5,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.00792447,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.492136,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.480445,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.555556,1796055489072,'94e47033b4a244759b1a7611f953d9f0',10,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.888889,1796055499621,'94e47033b4a244759b1a7611f953d9f0',20,0);
INSERT INTO "metrics" VALUES('hypervolume',0.604296,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',1,0);
INSERT INTO "metrics" VALUES('front_size',1.0,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',1,0);
INSERT INTO "metrics" VALUES('trials',1.0,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',1,0);
INSERT INTO "metrics" VALUES('best_accuracy',0.888889,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',1,0);
INSERT INTO "metrics" VALUES('curve/hypervolume_by_seconds',0.604296,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',21,0);
INSERT INTO "metrics" VALUES('curve/hypervolume_by_trials',0.604296,1796055499680,'a01763f2616e4a328fdb47df21a2b0c5',1,0);
INSERT INTO "metrics" VALUES('val_loss',0.747458,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('val_error',0.444444,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.555556,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('val_score',0.500896,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('test_loss',0.536936,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('test_error',0.0833333,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.916667,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('edges',66.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('density',0.6,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('depth',2.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('neurons',4.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('flow',108.312,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('smooth_edges',66.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('train_step_seconds',5.5489e-06,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('train_bytes',9347.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('inference_seconds',8.263e-06,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('inference_spread',9.89429e-07,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.00115295,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('predicted_train_step_seconds',3.32793e-06,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('predicted_inference_seconds',7.024e-06,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('predicted_train_bytes',9700.87,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('flash',608.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('ram',60.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('cycles',11978.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('inference_us',8.263,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/objective',0.649354,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/objective',0.617694,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/flow',108.349,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/flow',108.311,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/total',0.749354,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/total',0.717694,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.625,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.625,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.00123879,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',1.31884e-05,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.5,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.00792447,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.756821,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.747458,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.555556,1796055499678,'006745b174e142a8b99e1e4dbabb8fc3',10,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.555556,1796055499718,'006745b174e142a8b99e1e4dbabb8fc3',20,0);
INSERT INTO "metrics" VALUES('val_loss',0.620051,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('val_error',0.555556,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.444444,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('val_score',0.437988,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('test_loss',0.915666,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('test_error',0.666667,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.333333,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('edges',66.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('density',0.6,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('depth',2.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('neurons',4.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('flow',125.995,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('smooth_edges',66.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('train_step_seconds',5.36345e-06,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('train_bytes',10755.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('inference_seconds',7.972e-06,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('inference_spread',1.0804e-06,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.00115295,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('predicted_train_step_seconds',3.33372e-06,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('predicted_inference_seconds',7.02959e-06,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('predicted_train_bytes',10355.1,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('flash',864.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('ram',60.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('cycles',11978.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('inference_us',7.972,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/objective',0.677162,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/objective',0.840601,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/flow',125.994,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/flow',125.993,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/total',0.777162,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/total',0.940601,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.625,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.375,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.0135894,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.000144675,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.5,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.00792447,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.615522,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.620051,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.555556,1796055499778,'7cfdefa64da3436d80f6f789553a8c61',10,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.444444,1796055499826,'7cfdefa64da3436d80f6f789553a8c61',20,0);
INSERT INTO "metrics" VALUES('val_loss',0.62246,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('val_error',0.111111,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('val_accuracy',0.888889,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('val_score',0.346391,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('test_loss',0.813934,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('test_error',0.666667,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('test_accuracy',0.333333,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('edges',66.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('density',0.6,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('depth',2.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('neurons',4.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('flow',67.3223,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('smooth_edges',66.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('train_step_seconds',5.37884e-06,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('train_bytes',9347.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('inference_seconds',6.98173e-06,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('inference_spread',3.20542e-05,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.00115295,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('predicted_train_step_seconds',3.32866e-06,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('predicted_inference_seconds',7.02952e-06,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('predicted_train_bytes',9700.87,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('flash',864.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('ram',60.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('cycles',11978.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('inference_us',6.982,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/objective',0.688667,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/objective',0.663243,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/flow',67.6254,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/flow',67.3231,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/sparsity',1.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/total',0.788667,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/total',0.763243,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.625,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/train_accuracy',0.625,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/live_edges',66.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/density',0.6,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',0.00320503,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/learning_rate',3.41215e-05,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.5,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/temperature',0.00792447,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/repairs',0.0,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.635597,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/val_loss',0.62246,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.888889,1796055499973,'7c0e625d582e4cc3965beb7764be2fb9',10,0);
INSERT INTO "metrics" VALUES('curve/val_accuracy',0.888889,1796055500103,'7c0e625d582e4cc3965beb7764be2fb9',20,0);
INSERT INTO "metrics" VALUES('inference_seconds',7.06421e-06,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('inference_spread',9.91671e-07,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.0011421,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_error',0.111111,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_error_low',0.0130451,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_error_high',0.541735,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_error_deviation',0.128565,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_accuracy',0.888889,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_accuracy_low',0.458265,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('shown_accuracy_high',0.986955,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('inference_us',7.064,1796055505328,'94e47033b4a244759b1a7611f953d9f0',1000000000,0);
INSERT INTO "metrics" VALUES('inference_seconds',7.04815e-06,1796055505328,'006745b174e142a8b99e1e4dbabb8fc3',1000000000,0);
INSERT INTO "metrics" VALUES('inference_spread',1.03548e-06,1796055505328,'006745b174e142a8b99e1e4dbabb8fc3',1000000000,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.0011421,1796055505328,'006745b174e142a8b99e1e4dbabb8fc3',1000000000,0);
INSERT INTO "metrics" VALUES('inference_us',7.048,1796055505328,'006745b174e142a8b99e1e4dbabb8fc3',1000000000,0);
INSERT INTO "metrics" VALUES('inference_seconds',7.07772e-06,1796055505328,'7cfdefa64da3436d80f6f789553a8c61',1000000000,0);
INSERT INTO "metrics" VALUES('inference_spread',9.46861e-07,1796055505328,'7cfdefa64da3436d80f6f789553a8c61',1000000000,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.0011421,1796055505328,'7cfdefa64da3436d80f6f789553a8c61',1000000000,0);
INSERT INTO "metrics" VALUES('inference_us',7.078,1796055505328,'7cfdefa64da3436d80f6f789553a8c61',1000000000,0);
INSERT INTO "metrics" VALUES('inference_seconds',7.13496e-06,1796055505328,'7c0e625d582e4cc3965beb7764be2fb9',1000000000,0);
INSERT INTO "metrics" VALUES('inference_spread',9.26136e-07,1796055505328,'7c0e625d582e4cc3965beb7764be2fb9',1000000000,0);
INSERT INTO "metrics" VALUES('reference_seconds',0.0011421,1796055505328,'7c0e625d582e4cc3965beb7764be2fb9',1000000000,0);
INSERT INTO "metrics" VALUES('inference_us',7.135,1796055505328,'7c0e625d582e4cc3965beb7764be2fb9',1000000000,0);
INSERT INTO "metrics" VALUES('hypervolume',0.763102,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('front_size',1.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('trials',4.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('best_accuracy',0.888889,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_val_accuracy',1.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_val_error',0.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_test_accuracy',0.833333,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_test_error',0.166667,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_inference_seconds',4.73323e-06,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_edges',16.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_linear_training_seconds',0.0826693,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_val_accuracy',1.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_val_error',0.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_test_accuracy',0.833333,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_test_error',0.166667,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_inference_seconds',0.000255373,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_edges',568.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_boosting_training_seconds',1.04429,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_val_accuracy',1.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_val_error',0.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_test_accuracy',0.5,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_test_error',0.5,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_inference_seconds',1.00274e-05,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_edges',544.0,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('baseline_mlp_training_seconds',0.821312,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
INSERT INTO "metrics" VALUES('curve/hypervolume_by_seconds',0.604296,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',21,0);
INSERT INTO "metrics" VALUES('curve/hypervolume_by_trials',0.604296,1796055505328,'a01763f2616e4a328fdb47df21a2b0c5',4,0);
CREATE TABLE "model_definitions" (
	model_definition_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	secret_id VARCHAR(36), 
	provider VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_definitions_pk PRIMARY KEY (model_definition_id), 
	CONSTRAINT fk_model_definitions_secret_id FOREIGN KEY(secret_id) REFERENCES secrets (secret_id) ON DELETE SET NULL, 
	CONSTRAINT uq_model_definitions_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE "model_version_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_tag_pk PRIMARY KEY (workspace, "key", name, version), 
	CONSTRAINT fk_model_version_tags_model_versions FOREIGN KEY(workspace, name, version) REFERENCES model_versions (workspace, name, version) ON UPDATE CASCADE
);
INSERT INTO "model_version_tags" VALUES('search','e4eee598ddbf4aba87c59d429c579e38','sampled',1,'default');
INSERT INTO "model_version_tags" VALUES('trial','0','sampled',1,'default');
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), 
	storage_location VARCHAR(500), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT fk_model_versions_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
INSERT INTO "model_versions" VALUES('sampled',1,1796055506505,1796055506505,'# sampled: trial #0

A sparse feed-forward network, found by `nas search` as the best of its front: 16 inputs, 4 computational neurons in use, 2 outputs, 66 edges (density 60.0 %, depth 2).

## Task

Classification of table.csv: 39 training, 9 validation, 12 test samples; classes a, b. Inputs are features as they were measured; the scaling is part of the model.

## Quality

| part | accuracy |
| --- | ---: |
| to expect | 88.9 % (45.8–98.7) |
| validation | 88.9 % |
| test | 25.0 % |

The validation part chose this network among many, so it flatters it; quote the test part, which chose nothing, or what is to be expected, from which the flattery has been taken.

## Process time

- inference: 7.06 µs for 16 samples (quartiles 992 ns apart)
- training step: 5.40 µs
- reference kernel in the same minute: 1.14 ms; compare ratios to it between machines
- taken on processor AMD EPYC · threads 1 · cores 2 · system Linux x86_64 · torch 2.13.0+cpu · numba 0.68.1

## Training

20 steps a generation, optimizer adamw, learning_rate 0.05068922907637546, batch_size 8, parametrisation free, activation silu, seed 1338252685.

## Lineage

| generation | trial | accuracy val | change | edges | inference | what changed |
| ---: | ---: | ---: | ---: | ---: | ---: | --- |
| 0 | #0 | 88.89 % |  | 66 | 7.06 µs | layer of 4 neurons and shortcuts |

## The front it was chosen from

| trial | accuracy (95 % interval) | accuracy test | inference | training step | edges | density | depth |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| #000 | 88.9 % (45.8–98.7) | 25.0 % | 7.06 µs | 5.40 µs | 66 | 60.0 % | 2 |

## Use

```python
model = mlflow.pyfunc.load_model("models:/sampled@champion")   # raw features in, a table out
model.predict(features)
```

Without MLflow: `nas.Predictor.load("network.safetensors")`, the file in the artifacts of the trial''s run. It is safetensors; loading it runs no code. Outside the range of its training data nothing is known of it.
',NULL,'None','file:///somewhere/nas-runs/artifacts/sampled/94e47033b4a244759b1a7611f953d9f0/artifacts/model','94e47033b4a244759b1a7611f953d9f0','READY',NULL,NULL,'file:///somewhere/nas-runs/artifacts/sampled/94e47033b4a244759b1a7611f953d9f0/artifacts/model','default');
CREATE TABLE online_scoring_configs (
	online_scoring_config_id VARCHAR(36) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	sample_rate FLOAT NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	filter_string TEXT, 
	CONSTRAINT online_scoring_config_pk PRIMARY KEY (online_scoring_config_id), 
	CONSTRAINT fk_online_scoring_configs_scorer_id FOREIGN KEY(scorer_id) REFERENCES scorers (scorer_id) ON DELETE CASCADE, 
	CONSTRAINT fk_online_scoring_configs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('version','1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.source','table.csv','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.target','kind','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.drop','[]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.keep','[]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.missing','[]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.ramps','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.task','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.encoding','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.separator','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.decimal','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.header','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.validation','0.15','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.test','0.2','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.standardise','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.split','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('data.seed','0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('space.name','neuron_dag','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('space.options.n_computational','[3, 4]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('space.options.density','[0.3, 0.6]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.strategy','optuna','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.trials','4','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.objectives','[''error'', ''inference_time'']','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.constraints','[]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.stop','budget','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.least_gain','0.003','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.halving.keep','0.5','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.halving.rule','rank','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.halving.startup','8','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.halving.window','100','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.baselines','True','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('search.seed','0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.steps','20','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.batch_size','8','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.inference_batch','16','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.optimizer','adamw','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.learning_rate','0.005','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.schedule','cosine','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.warmup','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.weight_decay','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.input_noise','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.input_shift','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.input_dropout','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.activation','leaky_relu','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.parametrisation','masked','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.closeness','gauss_wave','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.precision','float','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.readout','activated','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.on_lost_output','regrow','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.structure_until','1.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.objective','1.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.flow','1e-10','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.sparsity','0.1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.time','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.memory','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.temperature','0.5','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.losses.final_temperature','0.005','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.latency','False','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.log_every','10','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('training.rungs','[0.25]','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('resources.executor','serial','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('resources.threads','1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('resources.gpus','0.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('resources.device','auto','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('resources.trial_minutes','120.0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('tracking.experiment','sampled','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('tracking.store','nas-runs','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('tracking.mlflow','True','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('tracking.champion','best','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('tracking.animation','False','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "params" VALUES('steps','20','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('batch_size','8','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('inference_batch','16','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('optimizer','adamw','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('learning_rate','0.05068922907637546','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('schedule','cosine','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('warmup','0.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('weight_decay','0.031212792903906557','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('input_noise','0.11092309891448342','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('input_shift','0.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('input_dropout','0.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('activation','silu','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('parametrisation','free','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('closeness','gauss_wave','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('precision','float','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('readout','activated','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('on_lost_output','regrow','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('structure_until','1.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.objective','1.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.flow','1e-10','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.sparsity','0.1','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.time','0.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.memory','0.0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.temperature','0.5','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('losses.final_temperature','0.005','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('latency','False','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('log_every','10','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('rungs','[0.25]','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('final_input_noise','0.026829306587077977','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('seed','1338252685','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('inputs','16','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('outputs','2','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "params" VALUES('steps','20','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('batch_size','8','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('inference_batch','16','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('optimizer','adamw','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('learning_rate','0.0021424320867041214','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('schedule','cosine','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('warmup','0.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('weight_decay','0.00525537180748765','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('input_noise','0.03822718992773854','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('input_shift','0.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('input_dropout','0.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('activation','relu','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('parametrisation','free','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('closeness','gauss_wave','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('precision','float','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('readout','activated','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('on_lost_output','regrow','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('structure_until','1.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.objective','1.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.flow','1e-10','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.sparsity','0.1','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.time','0.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.memory','0.0','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.temperature','0.5','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('losses.final_temperature','0.005','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('latency','False','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('log_every','10','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('rungs','[0.25]','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('final_input_noise','0.5227867113995608','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('seed','1322277935','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('inputs','16','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('outputs','2','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "params" VALUES('steps','20','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('batch_size','8','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('inference_batch','16','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('optimizer','adamw','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('learning_rate','0.02350218573755687','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('schedule','cosine','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('warmup','0.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('weight_decay','0.03692410517121158','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('input_noise','0.7974809659604043','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('input_shift','0.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('input_dropout','0.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('activation','silu','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('parametrisation','free','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('closeness','gauss_wave','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('precision','float','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('readout','activated','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('on_lost_output','regrow','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('structure_until','1.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.objective','1.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.flow','1e-10','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.sparsity','0.1','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.time','0.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.memory','0.0','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.temperature','0.5','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('losses.final_temperature','0.005','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('latency','False','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('log_every','10','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('rungs','[0.25]','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('final_input_noise','0.2371558784841273','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('seed','871338770','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('inputs','16','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('outputs','2','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "params" VALUES('steps','20','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('batch_size','8','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('inference_batch','16','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('optimizer','adamw','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('learning_rate','0.005542956548278656','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('schedule','cosine','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('warmup','0.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('weight_decay','0.04727169251855973','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('input_noise','0.8327466580336373','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('input_shift','0.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('input_dropout','0.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('activation','tanh','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('parametrisation','free','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('closeness','gauss_wave','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('precision','float','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('readout','activated','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('on_lost_output','regrow','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('structure_until','1.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.objective','1.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.flow','1e-10','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.sparsity','0.1','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.time','0.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.memory','0.0','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.temperature','0.5','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('losses.final_temperature','0.005','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('latency','False','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('log_every','10','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('rungs','[0.25]','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('final_input_noise','0.21101638263904457','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('seed','407486282','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('inputs','16','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "params" VALUES('outputs','2','7c0e625d582e4cc3965beb7764be2fb9');
CREATE TABLE "registered_model_aliases" (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT fk_registered_model_aliases_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "registered_model_aliases" VALUES('champion',1,'sampled','default');
CREATE TABLE "registered_model_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_tag_pk PRIMARY KEY (workspace, "key", name), 
	CONSTRAINT fk_registered_model_tags_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
CREATE TABLE "registered_models" (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_pk PRIMARY KEY (workspace, name)
);
INSERT INTO "registered_models" VALUES('sampled',1796055506485,1796055506505,'Networks that `nas search` found; the alias `champion` is on the latest search''s choice.','default');
CREATE TABLE review_queue_items (
	queue_id VARCHAR(36) NOT NULL, 
	item_type VARCHAR(16) NOT NULL, 
	item_id VARCHAR(50) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	completed_by VARCHAR(250), 
	completed_time_ms BIGINT, 
	creation_time_ms BIGINT NOT NULL, 
	last_update_time_ms BIGINT NOT NULL, 
	CONSTRAINT review_queue_items_pk PRIMARY KEY (queue_id, item_id), 
	CONSTRAINT fk_review_queue_items_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queue_label_schemas (
	queue_id VARCHAR(36) NOT NULL, 
	schema_id VARCHAR(36) NOT NULL, 
	CONSTRAINT review_queue_label_schemas_pk PRIMARY KEY (queue_id, schema_id), 
	CONSTRAINT fk_review_queue_label_schemas_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queue_users (
	queue_id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(250) NOT NULL, 
	CONSTRAINT review_queue_users_pk PRIMARY KEY (queue_id, user_id), 
	CONSTRAINT fk_review_queue_users_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queues (
	queue_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	queue_type VARCHAR(16) NOT NULL, 
	created_by VARCHAR(255), 
	creation_time_ms BIGINT NOT NULL, 
	last_update_time_ms BIGINT NOT NULL, 
	name_key VARCHAR(250) NOT NULL, 
	CONSTRAINT review_queues_pk PRIMARY KEY (queue_id), 
	CONSTRAINT fk_review_queues_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT uq_review_queues_experiment_name_key UNIQUE (experiment_id, name_key)
);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('a01763f2616e4a328fdb47df21a2b0c5','search · 4 trials · best 88.9 % · front of 1','UNKNOWN','','','root','FINISHED',1796055484568,1796055506550,'','active','file:///somewhere/nas-runs/artifacts/sampled/a01763f2616e4a328fdb47df21a2b0c5/artifacts',1,NULL);
INSERT INTO "runs" VALUES('94e47033b4a244759b1a7611f953d9f0','#000 88.9 % · 7.06 µs · 66 edges','UNKNOWN','','','root','FINISHED',1796055478524,1796055499621,'','active','file:///somewhere/nas-runs/artifacts/sampled/94e47033b4a244759b1a7611f953d9f0/artifacts',1,NULL);
INSERT INTO "runs" VALUES('006745b174e142a8b99e1e4dbabb8fc3','#001 55.6 % · 7.05 µs · 66 edges','UNKNOWN','','','root','FINISHED',1796055499639,1796055499718,'','active','file:///somewhere/nas-runs/artifacts/sampled/006745b174e142a8b99e1e4dbabb8fc3/artifacts',1,NULL);
INSERT INTO "runs" VALUES('7cfdefa64da3436d80f6f789553a8c61','#002 44.4 % · 7.08 µs · 66 edges','UNKNOWN','','','root','FINISHED',1796055499731,1796055499826,'','active','file:///somewhere/nas-runs/artifacts/sampled/7cfdefa64da3436d80f6f789553a8c61/artifacts',1,NULL);
INSERT INTO "runs" VALUES('7c0e625d582e4cc3965beb7764be2fb9','#003 88.9 % · 7.13 µs · 66 edges','UNKNOWN','','','root','FINISHED',1796055499843,1796055500103,'','active','file:///somewhere/nas-runs/artifacts/sampled/7c0e625d582e4cc3965beb7764be2fb9/artifacts',1,NULL);
CREATE TABLE scheduler_leases (
	lease_key VARCHAR(255) NOT NULL, 
	acquired_at BIGINT NOT NULL, 
	ttl_seconds INTEGER NOT NULL, 
	CONSTRAINT scheduler_leases_pk PRIMARY KEY (lease_key)
);
CREATE TABLE scorer_versions (
	scorer_id VARCHAR(36) NOT NULL, 
	scorer_version INTEGER NOT NULL, 
	serialized_scorer TEXT NOT NULL, 
	creation_time BIGINT, 
	CONSTRAINT scorer_version_pk PRIMARY KEY (scorer_id, scorer_version), 
	CONSTRAINT fk_scorer_versions_scorer_id FOREIGN KEY(scorer_id) REFERENCES scorers (scorer_id) ON DELETE CASCADE
);
CREATE TABLE scorers (
	experiment_id INTEGER NOT NULL, 
	scorer_name VARCHAR(256) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	CONSTRAINT scorer_pk PRIMARY KEY (scorer_id), 
	CONSTRAINT fk_scorers_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE "secrets" (
	secret_id VARCHAR(36) NOT NULL, 
	secret_name VARCHAR(255) NOT NULL, 
	encrypted_value BLOB NOT NULL, 
	wrapped_dek BLOB NOT NULL, 
	kek_version INTEGER NOT NULL, 
	masked_value VARCHAR(500) NOT NULL, 
	provider VARCHAR(64), 
	auth_config TEXT, 
	description TEXT, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT secrets_pk PRIMARY KEY (secret_id), 
	CONSTRAINT uq_secrets_workspace_secret_name UNIQUE (workspace, secret_name)
);
CREATE TABLE span_metrics (
	trace_id VARCHAR(50) NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT, 
	CONSTRAINT span_metrics_pk PRIMARY KEY (trace_id, span_id, "key"), 
	CONSTRAINT fk_span_metrics_span FOREIGN KEY(trace_id, span_id) REFERENCES spans (trace_id, span_id) ON DELETE CASCADE
);
CREATE TABLE "spans" (
	trace_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	parent_span_id VARCHAR(50), 
	name TEXT, 
	type VARCHAR(500), 
	status VARCHAR(50) NOT NULL, 
	start_time_unix_nano BIGINT NOT NULL, 
	end_time_unix_nano BIGINT, 
	duration_ns BIGINT GENERATED ALWAYS AS (end_time_unix_nano - start_time_unix_nano) STORED, 
	content TEXT NOT NULL, 
	input_cost FLOAT, 
	output_cost FLOAT, 
	total_cost FLOAT, 
	model_name VARCHAR(500), 
	model_provider VARCHAR(500), 
	CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id), 
	CONSTRAINT fk_spans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_spans_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE sql_assessment_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	CONSTRAINT sql_assessment_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_span_cost_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	model_name VARCHAR(500), 
	model_provider VARCHAR(500), 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	CONSTRAINT sql_span_cost_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_trace_metric_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	trace_status VARCHAR(50), 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	p50_value FLOAT, 
	p90_value FLOAT, 
	p99_value FLOAT, 
	CONSTRAINT sql_trace_metric_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_trace_rollup_rebuild_queue (
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	rollup_family VARCHAR(50) NOT NULL, 
	CONSTRAINT sql_trace_rollup_rebuild_queue_pk PRIMARY KEY (experiment_id, rollup_day, rollup_family)
);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('mlflow.source.name','nas search','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('mlflow.user','root','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.processor','AMD EPYC','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.cores','2','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.logical_cores','2','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.memory_gib','23.5','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.system','Linux x86_64','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.python','3.11.7','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.torch','2.13.0+cpu','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.numpy','2.4.6','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.numba','0.68.1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.gpu','none','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('hardware.threads','1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('study_id','91de146f4906416ebe96be4fdcb4fc55','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('search_id','e4eee598ddbf4aba87c59d429c579e38','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('mlflow.runName','search · 4 trials · best 88.9 % · front of 1','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('mlflow.source.name','nas search','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.user','root','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('trial','0','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('parent_trial','','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mutation','layer of 4 neurons and shortcuts','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('pareto','true','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('status','complete','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('worker','vm:30530','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('hardware.processor','AMD EPYC','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('hardware.gpu','none','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('hardware.threads','1','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('hardware.cost_model','shipped, AMD EPYC','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.note.content','No parent: layer of 4 neurons and shortcuts.','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.parentRunId','a01763f2616e4a328fdb47df21a2b0c5','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.runName','#000 88.9 % · 7.06 µs · 66 edges','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('mlflow.note.content','**4 trials finished, 0 failed.** Best 88.9 %, 1 networks on the front, hypervolume 0.7631.

Open [the front as a plot](#/experiments/1/runs/a01763f2616e4a328fdb47df21a2b0c5/artifacts/front.html?workflowType=machine_learning) · [the front as a table](#/experiments/1/runs?viewStateShareKey=front&workflowType=machine_learning) · [all trials as a table](#/experiments/1/runs?viewStateShareKey=trials&workflowType=machine_learning).

Logistic regression is better than the most accurate member by validation (trial 0): 83.33 % on the test part against 25.00 %; it takes 0.67 × the member''s inference time and 0.24 × its edges. Gradient boosting is better than the most accurate member by validation (trial 0): 83.33 % on the test part against 25.00 %; it takes 36 × the member''s inference time and 8.6 × its edges. Dense MLP is better than the most accurate member by validation (trial 0): 50.00 % on the test part against 25.00 %, a difference that 12 samples cannot tell; it takes 1.4 × the member''s inference time and 8.2 × its edges.

data table.csv · space neuron_dag · strategy optuna · parametrisation masked · steps 20

Process times taken on: processor AMD EPYC · threads 1 · cores 2 · system Linux x86_64 · torch 2.13.0+cpu · numba 0.68.1

| trial | accuracy (95 % interval) | accuracy test | inference | training step | edges | density | depth |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| [#000](#/experiments/1/runs/94e47033b4a244759b1a7611f953d9f0?workflowType=machine_learning) | 88.9 % (45.8–98.7) | 25.0 % | 7.06 µs | 5.40 µs | 66 | 60.0 % | 2 |

| baseline | accuracy val | accuracy test | inference | edges |
| --- | ---: | ---: | ---: | ---: |
| logistic regression | 100.0 % | 83.3 % | 4.73 µs | 16 |
| gradient boosting | 100.0 % | 83.3 % | 255 µs | 568 |
| dense MLP | 100.0 % | 50.0 % | 10.0 µs | 544 |','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('mlflow.source.name','nas search','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.user','root','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('trial','1','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('parent_trial','','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mutation','layer of 4 neurons and shortcuts','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('pareto','false','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('status','complete','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('worker','vm:30530','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('hardware.processor','AMD EPYC','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('hardware.gpu','none','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('hardware.threads','1','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('hardware.cost_model','shipped, AMD EPYC','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.note.content','No parent: layer of 4 neurons and shortcuts.','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.parentRunId','a01763f2616e4a328fdb47df21a2b0c5','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.runName','#001 55.6 % · 7.05 µs · 66 edges','006745b174e142a8b99e1e4dbabb8fc3');
INSERT INTO "tags" VALUES('mlflow.source.name','nas search','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.user','root','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('trial','2','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('parent_trial','','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mutation','layer of 4 neurons and shortcuts','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('pareto','false','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('status','complete','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('worker','vm:30530','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('hardware.processor','AMD EPYC','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('hardware.gpu','none','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('hardware.threads','1','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('hardware.cost_model','shipped, AMD EPYC','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.note.content','No parent: layer of 4 neurons and shortcuts.','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.parentRunId','a01763f2616e4a328fdb47df21a2b0c5','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.runName','#002 44.4 % · 7.08 µs · 66 edges','7cfdefa64da3436d80f6f789553a8c61');
INSERT INTO "tags" VALUES('mlflow.source.name','nas search','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mlflow.source.type','LOCAL','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mlflow.user','root','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('trial','3','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('parent_trial','','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mutation','layer of 4 neurons and shortcuts','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('pareto','false','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('status','complete','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('worker','vm:30530','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('hardware.processor','AMD EPYC','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('hardware.gpu','none','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('hardware.threads','1','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('hardware.cost_model','shipped, AMD EPYC','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mlflow.note.content','No parent: layer of 4 neurons and shortcuts.','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mlflow.parentRunId','a01763f2616e4a328fdb47df21a2b0c5','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('mlflow.runName','#003 88.9 % · 7.13 µs · 66 edges','7c0e625d582e4cc3965beb7764be2fb9');
INSERT INTO "tags" VALUES('artifacts','yes','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('registered','sampled version 1','94e47033b4a244759b1a7611f953d9f0');
INSERT INTO "tags" VALUES('champion','0','a01763f2616e4a328fdb47df21a2b0c5');
INSERT INTO "tags" VALUES('registered','models:/sampled@champion','a01763f2616e4a328fdb47df21a2b0c5');
CREATE TABLE "trace_info" (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, 
	client_request_id VARCHAR(50), 
	request_preview VARCHAR(1000), 
	response_preview VARCHAR(1000), 
	db_payload_generation INTEGER DEFAULT '0' NOT NULL, trace_name VARCHAR(4096), session_id VARCHAR(250), input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cache_read_input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_creation_input_tokens_above_1hr BIGINT, input_cost FLOAT, output_cost FLOAT, total_cost FLOAT, 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE trace_metrics (
	request_id VARCHAR(50) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT, 
	CONSTRAINT trace_metrics_pk PRIMARY KEY (request_id, "key"), 
	CONSTRAINT fk_trace_metrics_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE "trace_request_metadata" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_request_metadata_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE webhook_events (
	webhook_id VARCHAR(256) NOT NULL, 
	entity VARCHAR(50) NOT NULL, 
	action VARCHAR(50) NOT NULL, 
	CONSTRAINT webhook_event_pk PRIMARY KEY (webhook_id, entity, action), 
	FOREIGN KEY(webhook_id) REFERENCES webhooks (webhook_id) ON DELETE cascade
);
CREATE TABLE "webhooks" (
	webhook_id VARCHAR(256) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	description VARCHAR(1000), 
	url VARCHAR(500) NOT NULL, 
	status VARCHAR(20) DEFAULT 'ACTIVE' NOT NULL, 
	secret VARCHAR(1000), 
	creation_timestamp BIGINT, 
	last_updated_timestamp BIGINT, 
	deleted_timestamp BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT webhook_pk PRIMARY KEY (webhook_id)
);
CREATE TABLE workspaces (
	name VARCHAR(63) NOT NULL, 
	description TEXT, 
	default_artifact_root TEXT, trace_archival_location TEXT, trace_archival_retention VARCHAR(32), 
	CONSTRAINT workspaces_pk PRIMARY KEY (name)
);
INSERT INTO "workspaces" VALUES('default','Default workspace for legacy resources',NULL,NULL,NULL);
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);
CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);
CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);
CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);
CREATE INDEX index_logged_model_metrics_model_id ON logged_model_metrics (model_id);
CREATE INDEX index_entity_associations_association_id ON entity_associations (association_id);
CREATE INDEX index_entity_associations_reverse_lookup ON entity_associations (destination_type, destination_id, source_type, source_id);
CREATE INDEX idx_webhook_events_entity ON webhook_events (entity);
CREATE INDEX idx_webhook_events_action ON webhook_events (action);
CREATE INDEX idx_webhook_events_entity_action ON webhook_events (entity, action);
CREATE UNIQUE INDEX index_scorers_experiment_id_scorer_name ON scorers (experiment_id, scorer_name);
CREATE INDEX index_scorer_versions_scorer_id ON scorer_versions (scorer_id);
CREATE INDEX index_evaluation_dataset_tags_dataset_id ON evaluation_dataset_tags (dataset_id);
CREATE INDEX index_evaluation_dataset_records_dataset_id ON evaluation_dataset_records (dataset_id);
CREATE INDEX index_endpoint_model_mappings_endpoint_id ON endpoint_model_mappings (endpoint_id);
CREATE INDEX index_endpoint_model_mappings_model_definition_id ON endpoint_model_mappings (model_definition_id);
CREATE INDEX index_endpoint_tags_endpoint_id ON endpoint_tags (endpoint_id);
CREATE INDEX index_trace_metrics_request_id ON trace_metrics (request_id);
CREATE UNIQUE INDEX unique_endpoint_model_linkage_mapping ON endpoint_model_mappings (endpoint_id, model_definition_id, linkage_type);
CREATE INDEX index_span_metrics_trace_id_span_id ON span_metrics (trace_id, span_id);
CREATE INDEX index_evaluation_datasets_name ON evaluation_datasets (name);
CREATE INDEX index_evaluation_datasets_created_time ON evaluation_datasets (created_time);
CREATE INDEX idx_webhooks_status ON webhooks (status);
CREATE INDEX idx_webhooks_name ON webhooks (name);
CREATE TRIGGER prevent_secrets_aad_mutation
BEFORE UPDATE ON secrets
FOR EACH ROW
WHEN OLD.secret_id != NEW.secret_id OR OLD.secret_name != NEW.secret_name
BEGIN
    SELECT RAISE(ABORT, 'secret_id and secret_name are immutable (used as AAD in encryption)');
END;
CREATE INDEX index_model_definitions_secret_id ON model_definitions (secret_id);
CREATE INDEX index_model_definitions_provider ON model_definitions (provider);
CREATE INDEX index_jobs_name_status_creation_time ON jobs (job_name, workspace, status, creation_time);
CREATE INDEX idx_experiments_workspace ON experiments (workspace);
CREATE INDEX idx_registered_models_workspace ON registered_models (workspace);
CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);
CREATE INDEX idx_evaluation_datasets_workspace ON evaluation_datasets (workspace);
CREATE INDEX idx_webhooks_workspace ON webhooks (workspace);
CREATE INDEX idx_secrets_workspace ON secrets (workspace);
CREATE INDEX idx_endpoints_workspace ON endpoints (workspace);
CREATE INDEX idx_model_definitions_workspace ON model_definitions (workspace);
CREATE INDEX idx_budget_policies_workspace ON budget_policies (workspace);
CREATE INDEX index_issues_experiment_id ON issues (experiment_id);
CREATE INDEX index_issues_source_run_id ON issues (source_run_id);
CREATE INDEX index_issues_status ON issues (status);
CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, "key", step);
CREATE INDEX idx_guardrails_workspace ON guardrails (workspace);
CREATE INDEX idx_guardrails_scorer ON guardrails (scorer_id, scorer_version);
CREATE INDEX idx_guardrail_configs_endpoint_id ON guardrail_configs (endpoint_id);
CREATE INDEX idx_guardrail_configs_guardrail_id ON guardrail_configs (guardrail_id);
CREATE INDEX idx_model_version_tags_workspace_name_version ON model_version_tags (workspace, name, version);
CREATE INDEX idx_registered_model_tags_workspace_name ON registered_model_tags (workspace, name);
CREATE INDEX index_label_schemas_experiment_id ON label_schemas (experiment_id);
CREATE INDEX index_review_queues_experiment_id ON review_queues (experiment_id);
CREATE INDEX index_review_queue_users_user_id ON review_queue_users (user_id);
CREATE INDEX index_review_queue_items_queue_id_status ON review_queue_items (queue_id, status);
CREATE INDEX index_review_queue_items_item_id ON review_queue_items (item_id);
CREATE INDEX index_review_queue_label_schemas_schema_id ON review_queue_label_schemas (schema_id);
CREATE INDEX idx_mcp_server_versions_latest ON mcp_server_versions (workspace, name, status, version_major DESC, version_minor DESC, version_patch DESC);
CREATE INDEX ix_mcp_access_endpoints_server_name ON mcp_access_endpoints (workspace, server_name);
CREATE INDEX ix_mcp_access_endpoints_version ON mcp_access_endpoints (workspace, server_name, server_version);
CREATE INDEX ix_mcp_access_endpoints_alias ON mcp_access_endpoints (workspace, server_name, server_alias);
CREATE INDEX idx_budget_policies_target_value ON budget_policies (target_value);
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_info_timestamp_ms_request_id ON trace_info (timestamp_ms, request_id);
CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);
CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);
CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);
CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);
CREATE INDEX index_spans_experiment_id_start_time ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX index_spans_experiment_id_status_type ON spans (experiment_id, status, type);
CREATE INDEX index_spans_experiment_id_duration ON spans (experiment_id, duration_ns);
CREATE INDEX index_spans_experiment_id_type_status ON spans (experiment_id, type, status);
CREATE INDEX index_trace_info_experiment_id_session_id ON trace_info (experiment_id, session_id);
CREATE INDEX idx_trace_rollups_lookup ON sql_trace_metric_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, trace_status);
CREATE INDEX idx_span_cost_rollups_lookup ON sql_span_cost_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, model_name, model_provider);
CREATE INDEX idx_assessment_rollups_lookup ON sql_assessment_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set);
CREATE INDEX idx_spans_cost_trace_time_cover ON spans (trace_id, start_time_unix_nano);
CREATE INDEX idx_spans_cost_exp_time_cover ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX idx_assessments_exp_trace_ts ON assessments (experiment_id, trace_timestamp_ms);
CREATE INDEX idx_assessments_exp_trace_ts_name ON assessments (experiment_id, trace_timestamp_ms, name);
CREATE INDEX idx_assessments_exp_name_valid ON assessments (experiment_id, name, valid);
CREATE INDEX index_job_locks_job_id ON job_locks (job_id);
CREATE INDEX index_jobs_status_lease_expires_at ON jobs (status, lease_expires_at);
COMMIT;
